/** Replies and the log: none leaves before what it rests on is where the policy promises, and none stays for ever. */
import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { clearTouched } from '../../src/commands/changes.ts';
import { JOURNAL_SOFT_BYTES, TURN_OUTPUT_BYTES_MAX } from '../../src/config/limits.ts';
import {
  acquireDrain,
  beginFailing,
  beginFlight,
  endFailing,
  endFlight,
  isLogBroken,
  isLogTroubled,
  type LogBoard,
  noteSynced,
  releaseDrain,
} from '../../src/durability/log-board.ts';
import { retry } from '../../src/durability/log-writer.ts';
import { GATE_LOG, openGate } from '../../src/resilience/gate.ts';
import { slotOfKey } from '../../src/routing/slot.ts';
import { breakJournal, pendingBytes } from '../../src/shard/journal.ts';
import { loggedKeys, readLog } from '../support/log-world.ts';
import { requestBytes } from '../support/request-bytes.ts';
import { createRandom } from '../support/seeded-random.ts';
import { createServingWorld, type ServingWorld, type WorldClient } from '../support/serving-world.ts';

const OK = '+OK\r\n';
const PONG = '+PONG\r\n';
const MISCONF = /^(-MISCONF Errors writing to the AOF file: [^\r]+\r\n)+$/;
const OTHER_THREAD = 9;

/** What another worker does: its block has a number and is in its file, not yet on the disk. */
function writeElsewhere(board: LogBoard): number {
  acquireDrain(board, OTHER_THREAD);
  const block = beginFlight(board, 1);
  releaseDrain(board);
  endFlight(board, 1, block);
  return block;
}

function shardOf({ harness }: ServingWorld, key: string): number {
  return harness.engine.slotShard[slotOfKey(Buffer.from(key), 0, key.length)];
}

/** A key of another shard. */
function keyElsewhere(world: ServingWorld, key: string): string {
  let other = `${key}:other`;
  while (shardOf(world, other) === shardOf(world, key)) other += '+';
  return other;
}

const keysAfterPowerCut = ({ disk }: ServingWorld, seed = 1) =>
  loggedKeys(readLog(disk.crash(createRandom(seed)), { mayBeTorn: true }));

describe('under always', () => {
  it('the reply to a write leaves when its record is on the disk, and not before', async () => {
    const world = createServingWorld();
    const client = world.connect();
    client.send('SET', 'a', '1');
    world.turn();
    await world.settle();
    expect(loggedKeys(readLog(world.disk))).toEqual(['a']);
    expect(client.received()).toBe('');
    world.onReply = () => expect(keysAfterPowerCut(world)).toEqual(['a']);
    expect(world.disk.pump()).toBe(1);
    expect(client.received()).toBe(OK);
  });

  it('a transaction is one block, and its reply waits once', () => {
    const world = createServingWorld();
    const client = world.connect();
    const other = keyElsewhere(world, 'a');
    for (const command of [
      ['MULTI'],
      ['SET', 'a', '1'],
      ['SET', other, '2'],
      ['APPEND', 'a', '3'],
      ['EXEC'],
    ]) {
      client.send(...command);
    }
    world.turn();
    expect(client.received()).toBe('');
    expect(world.disk.pump()).toBe(1);
    expect(client.received()).toBe(`${OK}${'+QUEUED\r\n'.repeat(3)}*3\r\n${OK}${OK}:2\r\n`);
  });

  it('so does that of a transaction which is answered in a later turn', async () => {
    const world = createServingWorld();
    const client = world.connect();
    for (const command of [
      ['MULTI'],
      ['SET', 'a', '1'],
      ['CLIENT', 'LIST', 'TYPE', 'replica'],
      ['EXEC'],
      ['PING'],
    ]) {
      client.send(...command);
    }
    world.turn();
    await world.settle();
    world.turn();
    expect(client.received()).toBe('');
    while (world.disk.pump() > 0) await world.settle();
    world.turn();
    expect(client.received()).toBe(`${OK}${'+QUEUED\r\n'.repeat(2)}*2\r\n${OK}$0\r\n\r\n${PONG}`);
  });

  it('an error takes the place of such a reply where the log could not be written', async () => {
    const world = createServingWorld();
    const client = world.connect();
    client.send('MULTI');
    world.turn();
    world.disk.setFreeBytes(0);
    for (const command of [['SET', 'a', '1'], ['CLIENT', 'LIST', 'TYPE', 'replica'], ['EXEC']])
      client.send(...command);
    world.turn();
    await world.settle();
    world.turn();
    expect(client.received().slice(OK.length)).toMatch(MISCONF);
  });

  it('other connections go on meanwhile, and see the change', () => {
    const world = createServingWorld();
    const [one, other] = [world.connect(), world.connect()];
    one.send('SET', 'a', '1');
    other.send('PING');
    world.turn();
    other.send('GET', 'a');
    world.turn();
    expect(other.received()).toBe(`${PONG}$1\r\n1\r\n`);
    expect(one.received()).toBe('');
    world.disk.pump();
    expect(one.received()).toBe(OK);
  });

  it('one sync serves all that wait for it', () => {
    const world = createServingWorld();
    const clients = Array.from({ length: 20 }, () => world.connect());
    for (const [index, client] of clients.entries()) client.send('SET', `key:${index}`, 'v');
    world.turn();
    expect(clients.map((client) => client.received()).join('')).toBe('');
    expect(world.disk.pump()).toBe(1);
    for (const client of clients) expect(client.received()).toBe(OK);
  });

  it('a connection that was let go and writes again waits for a sync of its own', () => {
    const world = createServingWorld();
    const [one, other] = [world.connect(), world.connect()];
    one.send('SET', 'a', '1');
    world.turn();
    // While the first sync runs.
    other.send('SET', 'b', '1');
    world.turn();
    expect(world.disk.pump(1)).toBe(1);
    expect([one.received(), other.received()]).toEqual([OK, '']);
    // While the second sync runs, which the other one waits for.
    one.send('SET', 'c', '1');
    world.turn();
    expect(world.disk.pump(1)).toBe(1);
    expect([one.received(), other.received()]).toEqual([OK, OK]);
    expect(keysAfterPowerCut(world).slice(0, 2)).toEqual(['a', 'b']);
    expect(world.disk.pump(1)).toBe(1);
    expect(one.received()).toBe(OK + OK);
  });

  it('a pipeline is answered in order, and what comes behind a wait runs after it', async () => {
    const world = createServingWorld();
    const client = world.connect();
    client.sendBytes(requestBytes('SET', 'n', '1'), requestBytes('GET', 'n'), requestBytes('INCR', 'n'));
    world.turn();
    client.sendBytes(requestBytes('INCR', 'n'), requestBytes('PING'));
    client.send('INCR', 'n');
    world.turn();
    expect(world.harness.run('GET', 'n')).toBe('$1\r\n2\r\n');
    world.disk.pump();
    await world.settle();
    expect(client.received()).toBe(`${OK}$1\r\n1\r\n:2\r\n`);
    expect(world.harness.run('GET', 'n')).toBe('$1\r\n4\r\n');
    world.disk.pump();
    expect(client.received()).toBe(`${OK}$1\r\n1\r\n:2\r\n:3\r\n${PONG}:4\r\n`);
  });

  it('a connection is closed behind the replies that were held', async () => {
    const world = createServingWorld();
    const [quits, ends] = [world.connect(), world.connect()];
    quits.sendBytes(requestBytes('SET', 'a', '1'), requestBytes('QUIT'), requestBytes('SET', 'b', '1'));
    ends.send('SET', 'c', '1');
    world.turn();
    ends.socket.emit('end');
    world.turn();
    await world.settle();
    expect([quits.isClosed(), ends.isClosed()]).toEqual([false, false]);
    world.disk.pump();
    await world.settle();
    expect([quits.received(), ends.received()]).toEqual([OK + OK, OK]);
    expect([quits.isClosed(), ends.isClosed()]).toEqual([true, true]);
    expect(world.harness.run('EXISTS', 'b')).toBe(':0\r\n');
  });

  it('a reply that came while others were held goes out before the connection is closed for it', async () => {
    const world = createServingWorld();
    const client = world.connect();
    client.send('CLIENT', 'ID');
    world.turn();
    const id = client.received().slice(1).trim();
    client.sendBytes(requestBytes('SET', 'a', '1'), requestBytes('CLIENT', 'KILL', 'ID', id, 'SKIPME', 'no'));
    world.turn();
    for (let step = 0; step < 10; step += 1) await Promise.resolve();
    world.disk.pump();
    world.turn();
    await world.settle();
    expect(client.received()).toBe(`:${id}\r\n${OK}:1\r\n`);
    expect(client.isClosed()).toBe(true);
  });

  it('a connection that goes away while it waits is no trouble for the others', async () => {
    const world = createServingWorld();
    const [gone, stays] = [world.connect(), world.connect()];
    gone.sendBytes(requestBytes('SET', 'a', '1'));
    stays.send('SET', 'b', '1');
    world.turn();
    gone.send('PING');
    gone.socket.destroy();
    await world.settle();
    world.disk.pump();
    await world.settle();
    expect(stays.received()).toBe(OK);
    expect(world.serving.log?.held.size).toBe(0);
    expect(world.serving.connections.size).toBe(1);
  });

  it('replies are held over a flush in the middle of a turn, and nothing is executed twice', async () => {
    const world = createServingWorld();
    const [writes, reads] = [world.connect(), world.connect()];
    world.harness.run('SET', 'big', 'v'.repeat(TURN_OUTPUT_BYTES_MAX));
    world.turn();
    world.disk.pump();
    const increment = Buffer.from(requestBytes('INCR', 'n'));
    writes.sendBytes(requestBytes('SET', 'a', '1'), increment.subarray(0, 5));
    reads.send('GET', 'big');
    // The disk is done before the flush is.
    world.onReply = () => void world.disk.pump();
    writes.sendBytes(increment.subarray(5));
    await world.settle();
    world.disk.pump();
    expect(writes.received()).toBe(`${OK}:1\r\n`);
    expect(world.harness.run('GET', 'n')).toBe('$1\r\n1\r\n');
  });

  it('what waits for another worker is let go in the middle of a command without getting into its reply', async () => {
    const world = createServingWorld({ streams: 2 });
    const [one, other] = [world.connect(), world.connect()];
    const block = writeElsewhere(world.board);
    one.send('SET', 'a', '1');
    world.turn();
    one.sendBytes(requestBytes('GET', 'a'), requestBytes('PING'));
    world.disk.pump();
    expect(one.received()).toBe('');
    noteSynced(world.board, 1, block);
    // Looks at all commits, and finds that of the first connection to be reached.
    other.sendBytes(
      requestBytes('SET', 'b', '2'),
      requestBytes('WAITAOF', '1', '0', '0'),
      requestBytes('GET', 'b'),
    );
    expect(one.received()).toBe(OK);
    world.turn();
    await world.settle();
    expect(one.received()).toBe(`${OK}$1\r\n1\r\n${PONG}`);
    world.disk.pump();
    await world.settle();
    expect(other.received()).toBe(`${OK}*2\r\n:1\r\n:0\r\n$1\r\n2\r\n`);
  });

  it('waiting for the disk is no idleness', () => {
    const world = createServingWorld();
    const client = world.connect();
    client.send('SET', 'a', '1');
    world.turn();
    world.harness.nowMs += 60_000;
    world.disk.pump();
    const [connection] = world.serving.connections.values();
    expect(connection.session.lastActiveMs).toBe(world.harness.nowMs);
  });

  it('whatever the order of writes, turns and syncs, a power cut loses nothing that was answered', async () => {
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.record({ kind: fc.constant('send' as const), client: fc.nat(3) }) },
      { weight: 3, arbitrary: fc.constant({ kind: 'turn' as const, client: 0 }) },
      { weight: 2, arbitrary: fc.constant({ kind: 'pump' as const, client: 0 }) },
      { weight: 1, arbitrary: fc.constant({ kind: 'settle' as const, client: 0 }) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const world = createServingWorld({ shards: 2, shardBytes: 2 ** 18 });
        const clients = Array.from({ length: 4 }, () => world.connect());
        const sent = clients.map((): string[] => []);
        const answered = (client: WorldClient) => client.received().length / OK.length;
        for (const { kind, client } of steps) {
          if (kind === 'send') {
            const key = `${client}:${sent[client].length}`;
            sent[client].push(key);
            clients[client].send('SET', key, 'v');
          } else if (kind === 'turn') world.turn();
          else if (kind === 'pump') world.disk.pump(1);
          else await world.settle();
          if (kind !== 'pump') continue;
          const kept = new Set(keysAfterPowerCut(world, steps.length));
          for (const [index, one] of clients.entries()) {
            for (const key of sent[index].slice(0, answered(one))) expect(kept).toContain(key);
          }
        }
        for (let round = 0; round <= steps.length; round += 1) {
          world.turn();
          world.disk.pump();
          await world.settle();
        }
        expect(clients.map(answered)).toEqual(sent.map(({ length }) => length));
      }),
      { numRuns: 60 },
    );
  });
});

describe('under everysec and no', () => {
  it('a reply leaves when all that it may rest on is in the file', () => {
    for (const appendfsync of ['everysec', 'no']) {
      const world = createServingWorld({ appendfsync });
      const [one, other] = [world.connect(), world.connect()];
      world.onReply = () => {
        for (const shard of world.harness.shards) expect(pendingBytes(shard)).toBe(0);
      };
      one.send('SET', 'a', '1');
      other.send('GET', 'a');
      one.send('SET', 'b', 'v'.repeat(TURN_OUTPUT_BYTES_MAX));
      other.send('MGET', 'b', 'b');
      one.send('GET', 'b');
      world.turn();
      expect(one.received()).toHaveLength(
        2 * OK.length + `$${TURN_OUTPUT_BYTES_MAX}\r\n\r\n`.length + TURN_OUTPUT_BYTES_MAX,
      );
      expect(other.received()).toContain('$1\r\n1\r\n');
      expect(loggedKeys(readLog(world.disk))).toEqual(['a', 'b']);
    }
  });

  it('what others have left pending is written before a reply shows it, whichever command does', () => {
    for (const command of [
      ['GET', 'a'],
      ['MGET', 'z', 'a'],
      ['KEYS', '*'],
      ['SCAN', '0'],
      ['RANDOMKEY'],
      ['DBSIZE'],
    ]) {
      const world = createServingWorld({ appendfsync: 'everysec', shards: 3 });
      // Another worker's, whose turn goes on.
      world.harness.run('SET', 'a', '1');
      clearTouched(world.harness.engine.changes);
      const client = world.connect();
      client.send(...command);
      world.turn();
      expect(client.received()).not.toBe('');
      expect(loggedKeys(readLog(world.disk)), command.join(' ')).toEqual(['a']);
    }
  });
});

describe('when the log fails', () => {
  it('writers get errors, readers their answers, and those that find an expired key too', () => {
    const world = createServingWorld({ appendfsync: 'everysec' });
    const [writes, reads] = [world.connect(), world.connect()];
    world.harness.run('SET', 'short', 'v', 'PX', '10');
    writes.send('SET', 'a', '1');
    world.turn();
    world.disk.setFreeBytes(0);
    writes.sendBytes(requestBytes('SET', 'b', '1'), requestBytes('INCR', 'n'));
    reads.send('GET', 'a');
    world.turn();
    expect(writes.received().slice(OK.length)).toMatch(MISCONF);
    expect(writes.received().split('\r\n')).toHaveLength(4);
    world.harness.nowMs += 20;
    reads.send('GET', 'short');
    world.turn();
    expect(reads.received()).toBe('$1\r\n1\r\n$-1\r\n');
    writes.send('SET', 'c', '1');
    world.turn();
    expect(world.harness.run('EXISTS', 'c')).toBe(':0\r\n');
    world.disk.setFreeBytes(Infinity);
    expect(retry(world.writer)).toBe(true);
    openGate(world.harness.engine.gate, GATE_LOG);
    expect(loggedKeys(readLog(world.disk))).toEqual(['short', 'a', 'b', 'n', 'short']);
  });

  it('in the middle of a command, those that were held get errors and go on later', async () => {
    const world = createServingWorld({ shards: 1 });
    const [held, fills, writes] = [world.connect(), world.connect(), world.connect()];
    held.send('SET', 'a', '1');
    world.turn();
    held.sendBytes(requestBytes('GET', 'a'), requestBytes('SET', 'c', '1'));
    world.disk.setFreeBytes(0);
    // The journal is full behind the first: the second has it written before it runs.
    fills.send('SET', 'big', 'v'.repeat(JOURNAL_SOFT_BYTES));
    writes.sendBytes(requestBytes('SET', 'x', '1'), requestBytes('STRLEN', 'big'));
    expect(isLogTroubled(world.board)).toBe(true);
    world.turn();
    await world.settle();
    expect(held.received()).toMatch(/^-MISCONF [^\r]+\r\n\$1\r\n1\r\n-MISCONF [^\r]+\r\n$/);
    expect(fills.received()).toMatch(MISCONF);
    expect(writes.received()).toMatch(MISCONF);
    expect(writes.received().split('\r\n')).toHaveLength(3);
    expect(world.harness.run('GET', 'x')).toBe('$1\r\n1\r\n');
    world.harness.expectWhole();
  });

  it('with on-log-error continue, what was held leaves, and all go on', async () => {
    const world = createServingWorld({ onLogError: 'continue' });
    const [one, other] = [world.connect(), world.connect()];
    one.send('SET', 'a', '1');
    world.turn();
    one.send('GET', 'a');
    expect(one.received()).toBe('');
    world.disk.setFreeBytes(0);
    other.send('SET', 'b', '1');
    world.turn();
    await world.settle();
    expect(one.received()).toBe(`${OK}$1\r\n1\r\n`);
    expect(other.received()).toBe(OK);
  });

  it('a write behind a block that another worker cannot write is an error; when that is written, all is well', () => {
    const world = createServingWorld({ streams: 2, appendfsync: 'everysec' });
    const { board } = world;
    const client = world.connect();
    acquireDrain(board, OTHER_THREAD);
    const block = beginFlight(board, 1);
    releaseDrain(board);
    beginFailing(board, 1, -1);
    client.send('SET', 'a', '1');
    world.turn();
    expect(client.received()).toMatch(MISCONF);
    endFlight(board, 1, block);
    endFailing(board, 1);
    client.send('SET', 'b', '1');
    world.turn();
    expect(client.received()).toMatch(/^-MISCONF [^\r]+\r\n\+OK\r\n$/);
  });

  it('a change in a shard whose journal is broken and empty is not answered as if it were logged', () => {
    for (const command of [['SET', 'a', '1'], ['MSET', 'a', '1', 'b', '2'], ['FLUSHALL']]) {
      const world = createServingWorld({ appendfsync: 'everysec' });
      const client = world.connect();
      world.harness.run('MSET', 'a', '0', 'b', '0');
      world.turn();
      // As after the death of a thread in the middle of the first change of a turn.
      breakJournal(world.harness.shards[shardOf(world, 'a')]);
      client.send(...command);
      world.turn();
      expect(client.received(), command.join(' ')).toMatch(MISCONF);
      expect(isLogBroken(world.board)).toBe(true);
      expect(loggedKeys(readLog(world.disk)).toSorted()).toEqual(['a', 'b']);
    }
  });

  it('half of a change over two shards is not written by a worker that knows only its own shard', () => {
    const world = createServingWorld({ appendfsync: 'everysec' });
    const key = keyElsewhere(world, 'a');
    breakJournal(world.harness.shards[shardOf(world, 'a')]);
    // Another worker's, whose turn goes on.
    world.harness.run('MSET', 'a', '1', key, '2');
    clearTouched(world.harness.engine.changes);
    const client = world.connect();
    client.send('APPEND', key, '3');
    world.turn();
    expect(client.received()).toMatch(MISCONF);
    expect(readLog(world.disk)).toEqual([]);
  });
});
