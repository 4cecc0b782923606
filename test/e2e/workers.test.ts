/**
 * Several workers on the same shards: nothing is lost, nothing is seen half, and a worker that dies takes nothing along.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type DistcacheServer, startDistcache } from '../support/distcache-server.ts';
import { eventually, infoField, metricTotal } from '../support/readings.ts';
import { requestBytes } from '../support/request-bytes.ts';
import { openWire, type Wire } from '../support/wire.ts';

const WORKERS = 4;

let server: DistcacheServer;
let wires: Wire[];
beforeAll(async () => {
  server = await startDistcache(['--workers', `${WORKERS}`, '--enable-debug-command', 'yes']);
});
beforeEach(async () => {
  // The least loaded worker gets the next connection: each has the same number of these.
  wires = await openWires(2 * WORKERS);
  await wires[0].ask('FLUSHALL');
});
afterEach(async () => {
  for (const { close } of wires) close();
  const last = await openWire(server.port);
  await eventually(async () => (await infoField(last, 'connected_clients')) === 1);
  last.close();
});
afterAll(() => server.stop());

/** Connected one after the other, and served before the next. */
async function openWires(count: number): Promise<Wire[]> {
  const opened: Wire[] = [];
  for (let i = 0; i < count; i += 1) {
    const wire = await openWire(server.port);
    await wire.ask('PING');
    opened.push(wire);
  }
  return opened;
}

/** Keeps sending batches of a command until told to stop, or the connection ends. */
function hammer(wire: Wire, batch: (round: number) => (readonly string[])[]) {
  let isStopped = false;
  let acknowledged = 0;
  const replies: unknown[] = [];
  const done = (async () => {
    for (let round = 0; !isStopped; round += 1) {
      const requests = batch(round);
      wire.socket.write(Buffer.concat(requests.map((request) => requestBytes(...request))));
      for (const _ of requests) {
        const reply = await wire.reply();
        replies.push(reply);
        // While the log is begun anew after a death, writes are refused.
        if (!String(reply).startsWith('-')) acknowledged += 1;
      }
    }
  })().catch(() => undefined);
  return {
    replies,
    acknowledged: () => acknowledged,
    stop: () => {
      isStopped = true;
      return done;
    },
  };
}

describe('many connections on one key', () => {
  it('lose no INCR', async () => {
    const COUNT = 2_000;
    for (const { socket } of wires) socket.write('INCR counter\r\n'.repeat(COUNT));
    const finals = await Promise.all(
      wires.map(async (wire) => {
        let last = 0;
        for (let i = 0; i < COUNT; i += 1) {
          const value = Number(String(await wire.reply()).slice(1));
          expect(value).toBeGreaterThan(last);
          last = value;
        }
        return last;
      }),
    );
    expect(Math.max(...finals)).toBe(COUNT * wires.length);
    expect(await wires[0].ask('GET', 'counter')).toBe(`${COUNT * wires.length}`);
  });

  it('lose no APPEND', async () => {
    const COUNT = 500;
    wires.forEach(({ socket }, i) => {
      socket.write(`APPEND log ${i}\r\n`.repeat(COUNT));
    });
    for (const wire of wires) for (let i = 0; i < COUNT; i += 1) await wire.reply();
    const text = String(await wires[0].ask('GET', 'log'));
    for (const i of wires.keys()) expect(text.split(`${i}`).length - 1).toBe(COUNT);
  });
});

describe('a command over several shards', () => {
  const KEYS = Array.from({ length: 8 }, (_, i) => `key-${i}`);

  it('is seen whole or not at all (MSET and MGET)', async () => {
    const pairs = (value: string) => KEYS.flatMap((key) => [key, value]);
    await wires[0].ask('MSET', ...pairs('0'));
    const writers = wires
      .slice(0, 3)
      .map((wire, w) =>
        hammer(wire, (round) =>
          Array.from({ length: 20 }, (_, i) => ['MSET', ...pairs(`${w}-${round}-${i}`)]),
        ),
      );
    const reader = hammer(wires[5], () => Array.from({ length: 20 }, () => ['MGET', ...KEYS]));
    await eventually(
      () => reader.acknowledged() > 3_000 && writers.every((writer) => writer.acknowledged() > 500),
    );
    await Promise.all([reader, ...writers].map(({ stop }) => stop()));
    const seen = new Set<string>();
    for (const reply of reader.replies as Buffer[][]) {
      const values = new Set(reply.map(String));
      expect(values.size).toBe(1);
      for (const value of values) seen.add(value);
    }
    expect(seen.size).toBeGreaterThan(10);
  });

  it('never shows a key at both places or at none (RENAME)', async () => {
    await wires[0].ask('SET', 'here', 'value');
    const mover = hammer(wires[0], () => [
      ['RENAME', 'here', 'there-2'],
      ['RENAME', 'there-2', 'here'],
    ]);
    const reader = hammer(wires[1], () => Array.from({ length: 20 }, () => ['EXISTS', 'here', 'there-2']));
    await eventually(() => reader.acknowledged() > 3_000 && mover.acknowledged() > 500);
    await Promise.all([reader.stop(), mover.stop()]);
    expect(new Set(reader.replies)).toEqual(new Set([':1']));
    expect(new Set(mover.replies)).toEqual(new Set(['+OK']));
  });

  it('copies a value as it was at one moment (COPY)', async () => {
    const long = (digit: number) => `${digit}`.repeat(5_000);
    await wires[0].ask('SET', 'source', long(0));
    const writer = hammer(wires[0], (round) => [['SET', 'source', long(round % 10)]]);
    const copier = hammer(wires[1], () => [
      ['COPY', 'source', 'target-1', 'REPLACE'],
      ['GET', 'target-1'],
    ]);
    await eventually(() => copier.acknowledged() > 1_000 && writer.acknowledged() > 200);
    await Promise.all([writer.stop(), copier.stop()]);
    for (const reply of copier.replies) {
      if (Buffer.isBuffer(reply)) expect(String(reply)).toMatch(/^(\d)\1{4999}$/);
    }
  });

  it('waits for no other in a ring: opposite orders of the same keys go on for ever', async () => {
    const forth = hammer(wires[0], () =>
      Array.from({ length: 50 }, () => ['MSET', ...KEYS.flatMap((key) => [key, 'a'])]),
    );
    const back = hammer(wires[1], () =>
      Array.from({ length: 50 }, () => ['MSET', ...KEYS.toReversed().flatMap((key) => [key, 'b'])]),
    );
    await eventually(() => forth.acknowledged() > 2_000 && back.acknowledged() > 2_000);
    await Promise.all([forth.stop(), back.stop()]);
  });
});

describe('SCAN while others write', () => {
  it('returns every key that was there all the time', async () => {
    const COUNT = 3_000;
    await wires[0].ask('MSET', ...Array.from({ length: COUNT }, (_, i) => [`stays-${i}`, 'x']).flat());
    const writers = wires
      .slice(1, 4)
      .map((wire, w) =>
        hammer(wire, (round) =>
          Array.from({ length: 50 }, (_, i) =>
            round % 3 === 2
              ? ['DEL', `goes-${w}-${round - 1}-${i}`]
              : ['SET', `goes-${w}-${round}-${i}`, 'x'],
          ),
        ),
      );
    const seen = new Set<string>();
    let cursor = '0';
    do {
      const [next, keys] = (await wires[0].ask('SCAN', cursor, 'MATCH', 'stays-*', 'COUNT', '50')) as [
        string,
        string[],
      ];
      for (const key of keys) seen.add(key);
      cursor = next;
    } while (cursor !== '0');
    await Promise.all(writers.map(({ stop }) => stop()));
    expect(seen.size).toBe(COUNT);
    for (const writer of writers) expect(writer.acknowledged()).toBeGreaterThan(0);
  });
});

describe('one memory for all', () => {
  it('stays within maxmemory under allkeys-lru, without an error', async () => {
    await wires[0].ask('CONFIG', 'SET', 'maxmemory', '8mb');
    const value = 'x'.repeat(2_000);
    const writers = wires
      .slice(0, 4)
      .map((wire, w) =>
        hammer(wire, (round) =>
          Array.from({ length: 100 }, (_, i) => ['SET', `key-${w}-${round}-${i}`, value]),
        ),
      );
    const totals: number[] = [];
    await eventually(async () => {
      totals.push(await infoField(wires[7], 'used_memory_dataset'));
      return writers.every((writer) => writer.acknowledged() > 4_000);
    });
    await Promise.all(writers.map(({ stop }) => stop()));
    for (const writer of writers) expect(new Set(writer.replies)).toEqual(new Set(['+OK']));
    const keys = Number(String(await wires[0].ask('DBSIZE')).slice(1));
    expect(keys).toBeGreaterThan(2_500);
    expect(keys).toBeLessThan((8 * 2 ** 20) / value.length);
    expect(await infoField(wires[7], 'evicted_keys')).toBeGreaterThan(8_000);
    await wires[0].ask('CONFIG', 'SET', 'maxmemory', '64mb');
  });

  it('keeps no more than maxkeys', async () => {
    await wires[0].ask('CONFIG', 'SET', 'maxkeys', '400');
    const writers = wires
      .slice(0, 4)
      .map((wire, w) =>
        hammer(wire, (round) => Array.from({ length: 50 }, (_, i) => ['SET', `key-${w}-${round}-${i}`, 'v'])),
      );
    const sizes: number[] = [];
    await eventually(async () => {
      sizes.push(Number(String(await wires[7].ask('DBSIZE')).slice(1)));
      return writers.every((writer) => writer.acknowledged() > 1_000);
    });
    await Promise.all(writers.map(({ stop }) => stop()));
    expect(Math.max(...sizes)).toBeLessThanOrEqual(400);
    expect(Math.max(...sizes)).toBeGreaterThan(300);
    await wires[0].ask('CONFIG', 'SET', 'maxkeys', '0');
  });
});

describe('a worker that dies in the middle of load', () => {
  it.each(['WORKER-EXIT', 'WORKER-THROW', 'WORKER-DIE-HOLDING-LOCK'])(
    'by DEBUG %s loses nothing that it has acknowledged; others go on, and its clients can come back',
    async (death) => {
      const loads = wires
        .slice(1)
        .map((wire, w) => hammer(wire, () => Array.from({ length: 20 }, () => ['INCR', `counter-${w}`])));
      await eventually(() => loads.every((load) => load.acknowledged() > 100));
      wires[0].socket.write(`DEBUG ${death}\r\n`);
      await wires[0].closed;
      const survivors = loads.filter((_, w) => !wires[w + 1].socket.destroyed);
      expect(survivors.length).toBeGreaterThanOrEqual(loads.length - 2);
      // Those that came to the dead worker's place are served by its replacement.
      const back: Wire[] = [];
      await eventually(async () => {
        // The first to come back may still meet the dead worker.
        await openWires(1).then(
          (opened) => {
            back.push(...opened);
            wires.push(...opened);
          },
          () => undefined,
        );
        return back.length === WORKERS;
      });
      const marks = loads.map((load) => load.acknowledged());
      await eventually(() =>
        loads.every((load, w) => wires[w + 1].socket.destroyed || load.acknowledged() > marks[w]),
      );
      await Promise.all(loads.map(({ stop }) => stop()));
      for (const [w, load] of loads.entries()) {
        const value = Number(await back[w % WORKERS].ask('GET', `counter-${w}`));
        // Of the batch that was under way, some may be done and not acknowledged.
        expect(value).toBeGreaterThanOrEqual(load.acknowledged());
        expect(value).toBeLessThanOrEqual(load.acknowledged() + 20);
      }
    },
  );
});

describe('a worker that dies holding a lock while a snapshot is taken', () => {
  it('stops writes only until the log has begun anew, though the snapshot fails', async () => {
    // The second connection is with another worker.
    const [victim, writer] = wires;
    expect(await writer.ask('BGREWRITEAOF')).toMatch(/^\+Background append only file rewriting/);
    victim.socket.write('DEBUG WORKER-DIE-HOLDING-LOCK\r\n');
    await victim.closed;
    await eventually(async () => (await writer.ask('SET', 'a', '2')) === '+OK');
    await eventually(async () => (await infoField(writer, 'aof_rewrite_in_progress')) === 0);
    await eventually(async () => (await writer.ask('SET', 'a', '3')) === '+OK');
  });
});

describe('a bug in a command', () => {
  it('answers an internal error; the shard is whole and goes on', async () => {
    await wires[0].ask('MSET', 'a', '1', 'b', '2');
    const before = await metricTotal(server.httpPort, 'distcache_internal_errors_total');
    expect(await wires[0].ask('DEBUG', 'THROW')).toMatch(/^-ERR internal error in 'debug': DEBUG THROW/);
    expect(await wires[0].ask('DEBUG', 'THROW', 'a')).toMatch(/^-ERR internal error in 'debug': DEBUG THROW/);
    expect(await metricTotal(server.httpPort, 'distcache_internal_errors_total')).toBe(before + 2);
    // A change of which the log may lack a part: it is begun anew, and writes wait for that.
    await eventually(async () => (await wires[0].ask('SET', 'a', '3')) === '+OK');
    for (const wire of wires) {
      expect(await wire.ask('SET', 'a', '3')).toBe('+OK');
      expect(await wire.ask('MGET', 'a', 'b')).toEqual(['3', '2']);
    }
    await server.logged("command 'debug' failed");
  });
});
