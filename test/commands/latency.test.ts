/** Tests of LATENCY over the spikes of several threads, which are here the answers of a bus. */
import { setImmediate } from 'node:timers';
import { promisify } from 'node:util';
import { beforeEach, expect, it } from 'vitest';
import { installServerTopics } from '../../src/commands/server-topics.ts';
import { addSpike } from '../../src/metrics/latency-events.ts';
import { createHarness, type Harness } from '../support/harness.ts';

const nextTurn = promisify(setImmediate);

const SECOND = 1_700_000_000;

let harness: Harness;
let threads: Harness[];
beforeEach(() => {
  threads = [0, 1].map(() => createHarness({ nowMs: (SECOND + 10) * 1000 }));
  for (const { engine } of threads) installServerTopics(engine);
  harness = threads[0];
  const asks = threads.map(({ engine }) => engine.bus.requestAll);
  Object.assign(harness.engine.bus, {
    requestAll: async (topic: string, payload: unknown) =>
      (await Promise.all(asks.map((ask) => ask(topic, payload)))).flat(1),
  });
  const spikes = threads.map(({ engine }) => engine.latencyEvents);
  addSpike(spikes[0], 'command', SECOND * 1000, 20);
  addSpike(spikes[1], 'command', SECOND * 1000, 30);
  addSpike(spikes[1], 'command', (SECOND + 3) * 1000, 10);
  addSpike(spikes[0], 'aof-write', (SECOND + 1) * 1000, 5);
});

async function run(...args: string[]): Promise<string> {
  const reply = harness.run(...args);
  if (reply !== '') return reply;
  const count = harness.deferredReplies.length;
  while (harness.deferredReplies.length === count) await nextTurn();
  return harness.deferredReplies[count];
}

it('LATEST tells the last spike and the worst of each event, over all threads', async () => {
  expect(await run('LATENCY', 'LATEST')).toBe(
    `*2\r\n*4\r\n$9\r\naof-write\r\n:${SECOND + 1}\r\n:5\r\n:5\r\n` +
      `*4\r\n$7\r\ncommand\r\n:${SECOND + 3}\r\n:10\r\n:30\r\n`,
  );
});

it('HISTORY tells the worst of each second, the oldest first, of an event in its own case', async () => {
  expect(await run('LATENCY', 'HISTORY', 'command')).toBe(
    `*2\r\n*2\r\n:${SECOND}\r\n:30\r\n*2\r\n:${SECOND + 3}\r\n:10\r\n`,
  );
  expect(await run('LATENCY', 'HISTORY', 'COMMAND')).toBe('*0\r\n');
});

it('GRAPH draws an event that there is', async () => {
  const reply = await run('LATENCY', 'GRAPH', 'command');
  expect(reply).toContain('command - high 30 ms, low 10 ms (all time high 30 ms)\n');
  expect(reply).toContain('\n17\n0s\ns \n');
  expect(await run('LATENCY', 'GRAPH', 'nothing')).toBe("-ERR No samples available for event 'nothing'\r\n");
});

it('RESET forgets events on all threads, and counts each once', async () => {
  expect(await run('LATENCY', 'RESET', 'Command', 'command', 'nothing')).toBe(':1\r\n');
  expect(await run('LATENCY', 'HISTORY', 'command')).toBe('*0\r\n');
  expect(await run('LATENCY', 'RESET')).toBe(':1\r\n');
  expect(await run('LATENCY', 'RESET')).toBe(':0\r\n');
  expect(await run('LATENCY', 'LATEST')).toBe('*0\r\n');
});

it('DOCTOR reports, as a verbatim text in RESP3', async () => {
  harness.run('HELLO', '3');
  expect(await run('LATENCY', 'DOCTOR')).toMatch(/^=\d+\r\ntxt:Dave, I have observed/);
  await run('LATENCY', 'RESET');
  expect(await run('LATENCY', 'DOCTOR')).toMatch(/^=\d+\r\ntxt:I'm sorry, Dave/);
});
