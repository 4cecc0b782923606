/**
 * The commands of durability beside redis-server: refusals, replies that depend on no timing, the fields of INFO, and which
 * commands run while the data set is loaded or cannot be saved.
 */
import { rmSync } from 'node:fs';
import { setImmediate } from 'node:timers';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TOPIC_RELOAD, TOPIC_SNAPSHOT } from '../../src/commands/persistence-topics.ts';
import { ALL_COMMANDS } from '../../src/commands/tables/all.ts';
import { LOG_ENABLED } from '../../src/metrics/persistence.ts';
import { closeGate, GATE_LOADING, GATE_SNAPSHOT } from '../../src/resilience/gate.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { OWN_COMMANDS } from '../support/own-commands.ts';
import { eventually } from '../support/readings.ts';
import { type ProgramCommand, runOnRedis } from '../support/redis-program.ts';
import { describeWithRedis, type RedisServer, startRedisServer } from '../support/redis-server.ts';
import { replyTree } from '../support/replies.ts';

const nextTurn = promisify(setImmediate);

const OPEN = ['--enable-debug-command', 'yes'];

const PROGRAM: readonly ProgramCommand[] = [
  ['SAVE', 'x'],
  ['BGSAVE', ''],
  ['BGSAVE', 'x'],
  ['bgsave', 'SCHEDULE', 'x'],
  ['BGSAVE', 'SCHEDULE', 'SCHEDULE'],
  ['BGREWRITEAOF', 'x'],
  ['LASTSAVE', 'x'],
  ['DEBUG', 'RELOAD', 'x'],
  ['DEBUG', 'RELOAD', ''],
  ['debug', 'reload', 'NOSAVE', 'x'],
  ['DEBUG', 'RELOAD', 'NOFLUSH', 'x'],
  ['SAVE'],
  ['save'],
  ['DEBUG', 'RELOAD'],
  ['DEBUG', 'reload', 'Merge'],
  ['DEBUG', 'RELOAD', 'NOSAVE'],
  ['DEBUG', 'RELOAD', 'NOSAVE', 'MERGE', 'nosave'],
  ['DEBUG', 'LOADAOF'],
  ['debug', 'LoadAof', 'x', 'y'],
];

/** Calls that a server that cannot save runs or refuses, each for its own reason. */
const WHILE_UNSAVED: readonly ProgramCommand[] = [
  ...[['PING'], ['PING', 'x'], ['ping', 'x', 'y'], ['ECHO', 'x'], ['SELECT', '1'], ['SELECT', '0']],
  ...[['SET', 'a', 'b'], ['SET', 'a'], ['nosuch'], ['GET', 'a'], ['MSET', 'a', 'b'], ['MGET', 'a', 'b']],
  ...[
    ['DEL', 'a'],
    ['UNLINK', 'a'],
    ['EXPIRE', 'a', '1'],
    ['PERSIST', 'a'],
    ['TTL', 'a'],
    ['TOUCH', 'a'],
  ],
  ...[['FLUSHALL'], ['FLUSHDB'], ['SWAPDB', '0', '1'], ['MOVE', 'a', '1'], ['COPY', 'a', 'b']],
  ...[
    ['RENAME', 'a', 'b'],
    ['APPEND', 'a', 'b'],
    ['INCR', 'a'],
    ['GETEX', 'a'],
    ['GETDEL', 'a'],
  ],
  ...[
    ['EXISTS', 'a'],
    ['TYPE', 'a'],
    ['STRLEN', 'a'],
    ['DBSIZE'],
    ['KEYS', '*'],
    ['OBJECT', 'ENCODING', 'a'],
  ],
  ...[
    ['FUNCTION', 'FLUSH'],
    ['CONFIG', 'GET', 'maxmemory-samples'],
    ['COMMAND', 'COUNT', 'x'],
  ],
];

let server: RedisServer;
beforeAll(async () => {
  server = await startRedisServer([...OPEN, '--appendonly', 'yes']);
});
afterAll(() => server?.stop());

/** A harness whose main succeeds in everything. */
function openHarness(): Harness {
  const harness = createHarness({ flags: OPEN });
  for (const topic of [TOPIC_SNAPSHOT, TOPIC_RELOAD]) {
    harness.engine.bus.handle(topic, () => ({ ok: true, text: 'OK' }));
  }
  return harness;
}

/** The reply, also when it comes in the next turn. */
async function replyOf(harness: Harness, command: ProgramCommand): Promise<string> {
  const reply = harness.run(...command);
  if (reply !== '') return reply;
  await nextTurn();
  return harness.deferredReplies.splice(0).join('');
}

const fieldNames = (reply: string) =>
  reply
    .split('\r\n')
    .slice(1, -1)
    .map((line) => line.split(':')[0]);

/** The flags in a COMMAND INFO reply. */
function flagsOf(reply: string): string[] {
  const [details] = itemsOf(replyTree(reply));
  return itemsOf(itemsOf(details)[2]).map((flag) => String(flag).slice(1).trim());
}

function itemsOf(tree: ReturnType<typeof replyTree>): readonly ReturnType<typeof replyTree>[] {
  return typeof tree === 'string' ? [] : tree.items;
}

describeWithRedis('the commands of durability, compared with redis-server', () => {
  it.each(['2', '3'])('refuse and answer alike in RESP%s', async (protocol) => {
    const harness = openHarness();
    harness.run('HELLO', protocol);
    const theirs = (await runOnRedis(server.port, [['HELLO', protocol], ...PROGRAM])).slice(1);
    for (const [index, command] of PROGRAM.entries()) {
      expect([command, await replyOf(harness, command)]).toEqual([command, theirs[index]]);
    }
  });

  it('have the same fields of INFO persistence in the same order, with a log and without', async () => {
    const harness = openHarness();
    for (const appendonly of ['yes', 'no']) {
      harness.engine.persistence[LOG_ENABLED] = appendonly === 'yes' ? 1 : 0;
      const [, theirs] = await runOnRedis(server.port, [
        ['CONFIG', 'SET', 'appendonly', appendonly],
        ['INFO', 'persistence'],
      ]);
      expect(fieldNames(harness.run('INFO', 'persistence'))).toEqual(fieldNames(theirs));
    }
  });
});

describeWithRedis('while the data set is loaded', () => {
  it('run the commands that redis-server lets run then', async () => {
    const specs = ALL_COMMANDS.flatMap((spec) => spec.subcommands ?? [spec]).filter(
      ({ name }) => !OWN_COMMANDS.has(name),
    );
    const infos = await runOnRedis(
      server.port,
      specs.map(({ name }) => ['COMMAND', 'INFO', name]),
    );
    const harness = createHarness();
    closeGate(harness.engine.gate, GATE_LOADING);
    const never = new Promise<never>(() => undefined);
    const bus = { ...harness.engine.bus, requestAll: () => never, requestMain: () => never };
    Object.assign(harness.engine, { bus });
    for (const [index, { name, arity }] of specs.entries()) {
      const words = name.split('|');
      const call = [...words, ...new Array(Math.abs(arity) - words.length).fill('1')];
      const isRefused = harness.runAs(harness.connect(), ...call).startsWith('-LOADING');
      expect([name, isRefused]).toEqual([name, !flagsOf(infos[index]).includes('loading')]);
    }
  });
});

describeWithRedis('while the data set cannot be saved', () => {
  it('refuse the same commands with the same words', async () => {
    const unsaved = await startRedisServer(['--save', '3600 1']);
    try {
      const [folder] = await runOnRedis(unsaved.port, [['CONFIG', 'GET', 'dir']]);
      rmSync(folder.split('\r\n')[4], { recursive: true });
      await runOnRedis(unsaved.port, [['BGSAVE']]);
      await eventually(async () => {
        const [info] = await runOnRedis(unsaved.port, [['INFO', 'persistence']]);
        return info.includes('rdb_last_bgsave_status:err');
      });
      const harness = createHarness();
      closeGate(harness.engine.gate, GATE_SNAPSHOT);
      const theirs = await runOnRedis(unsaved.port, WHILE_UNSAVED);
      for (const [index, command] of WHILE_UNSAVED.entries()) {
        expect([command, await replyOf(harness, command)]).toEqual([command, theirs[index]]);
      }
    } finally {
      // With save points it would not stop: it could not save.
      await runOnRedis(unsaved.port, [['CONFIG', 'SET', 'save', '']]);
      await unsaved.stop();
    }
  });
});
