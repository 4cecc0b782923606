/** Tests of SLOWLOG over the slow commands of several threads, which are here the answers of a bus. */
import { setImmediate } from 'node:timers';
import { promisify } from 'node:util';
import { beforeEach, describe, expect, it } from 'vitest';
import { installServerTopics } from '../../src/commands/server-topics.ts';
import { readSlowLog, resetSlowLog } from '../../src/commands/slow-log.ts';
import { createSlowLog, createSlowLogIds, pushSlow, type SlowLog } from '../../src/metrics/slow-log.ts';
import { createHarness, type Harness } from '../support/harness.ts';

const nextTurn = promisify(setImmediate);

const START_MS = 1_700_000_000_999;

let harness: Harness;
let logs: SlowLog[];

/** Three threads, of which the first runs the commands. */
beforeEach(() => {
  const ids = createSlowLogIds();
  logs = [0, 1, 2].map(() => createSlowLog(ids));
  const threads = logs.map((slowLog) => {
    const thread = createHarness({ flags: ['--slowlog-log-slower-than', '-1'] });
    Object.assign(thread.engine, { slowLog });
    installServerTopics(thread.engine);
    return thread;
  });
  harness = threads[0];
  const asks = threads.map(({ engine }) => engine.bus.requestAll);
  Object.assign(harness.engine.bus, {
    requestAll: async (topic: string, payload: unknown) =>
      (await Promise.all(asks.map((ask) => ask(topic, payload)))).flat(1),
  });
});

function push(thread: number, ...shown: string[]): void {
  const entry = { atMs: START_MS, durationUs: 12, arguments: shown, client: '1.2.3.4:5', clientName: 'me' };
  pushSlow(logs[thread], entry, harness.engine.config.slowlogMaxLen);
}

async function run(...args: string[]): Promise<string> {
  const reply = harness.run(...args);
  if (reply !== '') return reply;
  const count = harness.deferredReplies.length;
  while (harness.deferredReplies.length === count) await nextTurn();
  return harness.deferredReplies[count];
}

const idsIn = (reply: string) => [...reply.matchAll(/\*6\r\n:(\d+)\r\n/g)].map(([, id]) => Number(id));

describe('SLOWLOG GET', () => {
  it('tells the number, the second, the microseconds, the arguments and the client', async () => {
    push(1, 'set', 'k\xff', '(redacted)');
    expect(await run('SLOWLOG', 'GET')).toBe(
      '*1\r\n*6\r\n:0\r\n:1700000000\r\n:12\r\n*3\r\n$3\r\nset\r\n$2\r\nk\xff\r\n$10\r\n(redacted)\r\n' +
        '$9\r\n1.2.3.4:5\r\n$2\r\nme\r\n',
    );
  });

  it('tells the newest first, from whichever thread they are, ten unless another number is asked for', async () => {
    for (let index = 0; index < 30; index += 1) push((index * index) % 3, `${index}`);
    const newest = Array.from({ length: 30 }, (_, index) => 29 - index);
    expect(idsIn(await run('SLOWLOG', 'GET'))).toEqual(newest.slice(0, 10));
    expect(idsIn(await run('slowlog', 'get', '3'))).toEqual(newest.slice(0, 3));
    expect(await run('SLOWLOG', 'GET', '0')).toBe('*0\r\n');
    expect(idsIn(await run('SLOWLOG', 'GET', '-1'))).toEqual(newest);
    expect(idsIn(await run('SLOWLOG', 'GET', '9223372036854775807'))).toEqual(newest);
  });

  it('refuses what is no number or less than -1, and more than one', async () => {
    for (const count of ['-2', 'x', '', '1.5', '9223372036854775808']) {
      expect(await run('SLOWLOG', 'GET', count)).toBe('-ERR count should be greater than or equal to -1\r\n');
    }
    expect(await run('SLOWLOG', 'GET', '1', '2')).toBe(
      "-ERR unknown subcommand or wrong number of arguments for 'GET'. Try SLOWLOG HELP.\r\n",
    );
  });
});

describe('slowlog-max-len', () => {
  it('bounds all threads together', async () => {
    harness.engine.config.slowlogMaxLen = 5;
    for (let index = 0; index < 12; index += 1) push(index % 3, `${index}`);
    expect(idsIn(await run('SLOWLOG', 'GET', '-1'))).toEqual([11, 10, 9, 8, 7]);
    expect(await run('SLOWLOG', 'LEN')).toBe(':5\r\n');
    harness.engine.config.slowlogMaxLen = 2;
    expect(idsIn(await run('SLOWLOG', 'GET', '10'))).toEqual([11, 10]);
    expect(await run('SLOWLOG', 'LEN')).toBe(':2\r\n');
  });
});

describe('SLOWLOG RESET', () => {
  it('empties the logs of all threads', async () => {
    for (const thread of [0, 1, 2]) push(thread, 'x');
    expect(await run('SLOWLOG', 'LEN')).toBe(':3\r\n');
    expect(await run('SLOWLOG', 'RESET')).toBe('+OK\r\n');
    expect(await run('SLOWLOG', 'LEN')).toBe(':0\r\n');
    push(2, 'y');
    expect(idsIn(await run('SLOWLOG', 'GET'))).toEqual([3]);
  });
});

describe('the slow log for a page', () => {
  it('has the newest of all threads, their arguments as text', async () => {
    push(0, 'set', Buffer.from('grüße').toString('latin1'), '\xff');
    push(2, 'get');
    const entries = await readSlowLog(harness.engine, 10);
    expect(entries.map((entry) => entry.arguments)).toEqual([['get'], ['set', 'grüße', '\ufffd']]);
    expect(await readSlowLog(harness.engine, 1)).toEqual([
      { id: 1, atMs: START_MS, durationUs: 12, arguments: ['get'], client: '1.2.3.4:5', clientName: 'me' },
    ]);
  });

  it('can be emptied', async () => {
    push(1, 'x');
    await resetSlowLog(harness.engine);
    expect(await readSlowLog(harness.engine, 10)).toEqual([]);
  });
});
