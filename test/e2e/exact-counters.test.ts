/**
 * Counters are exact: many connections over two workers do work of which every number is known, at the same time, and then
 * /metrics and INFO say just that.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DistcacheServer, startDistcache } from '../support/distcache-server.ts';
import { eventually } from '../support/readings.ts';
import { requestBytes } from '../support/request-bytes.ts';
import { createRandom, type Random } from '../support/seeded-random.ts';
import { type Counts, readCounts } from '../support/transcript.ts';
import { openWire, type Wire } from '../support/wire.ts';

const CLIENTS = 10;
const COMMANDS_EACH = 3_000;
const BATCH = 100;
const KEYS_EACH = 50;

/** What has been done, by the names of the metrics and of INFO's fields. */
type Tally = Map<string, number>;

let server: DistcacheServer;
beforeAll(async () => {
  server = await startDistcache(['--appendonly', 'no', '--save', '']);
});
afterAll(() => server.stop());

function add(tally: Tally, name: string, count = 1): void {
  tally.set(name, (tally.get(name) ?? 0) + count);
}

function addError(tally: Tally): void {
  add(tally, 'error_replies_total');
  add(tally, 'errors_total{prefix="ERR"}');
}

/** A command of a client and what it adds; `known` are the client's keys, which nobody else touches. */
function choose(pick: Random, client: number, known: Set<string>, tally: Tally): readonly string[] {
  const key = `client-${client}:${pick(KEYS_EACH)}`;
  const look = (looked: string) =>
    add(tally, known.has(looked) ? 'keyspace_hits_total' : 'keyspace_misses_total');
  const named = (name: string, ...args: string[]) => {
    add(tally, 'commands_total');
    add(tally, `command_calls_total{command="${name}"}`);
    return [...name.split('|'), ...args];
  };
  switch (pick(9)) {
    case 0:
      known.add(key);
      return named('set', key, 'v'.repeat(pick(200)));
    case 1:
      look(key);
      return named('get', key);
    case 2: {
      const other = `client-${client}:${pick(KEYS_EACH)}`;
      for (const looked of [key, other]) look(looked);
      return named('mget', key, other);
    }
    case 3:
      known.delete(key);
      return named('del', key);
    case 4:
      look(key);
      return named('exists', key);
    case 5:
      addError(tally);
      add(tally, 'command_failed_calls_total{command="set"}');
      return named('set', key, 'value', 'EX', '0');
    case 6:
      addError(tally);
      return ['NOSUCH', key];
    case 7:
      addError(tally);
      add(tally, 'command_rejected_calls_total{command="get"}');
      return ['GET'];
    default:
      return named('client|setname', `name-${client}`);
  }
}

/** One client's work, in batches; each is answered before the next. */
async function work(wire: Wire, client: number, tally: Tally): Promise<void> {
  const random = createRandom(client + 1);
  const known = new Set<string>();
  for (let done = 0; done < COMMANDS_EACH; done += BATCH) {
    const requests = Array.from({ length: BATCH }, () =>
      requestBytes(...choose(random, client, known, tally)),
    );
    wire.socket.write(Buffer.concat(requests));
    for (let i = 0; i < BATCH; i += 1) await wire.reply();
  }
}

const sum = (wires: readonly Wire[], field: 'bytesRead' | 'bytesWritten') =>
  wires.reduce((total, { socket }) => total + socket[field], 0);

const change = (before: Counts, after: Counts, name: string) =>
  (after.get(name)?.value ?? 0) - (before.get(name)?.value ?? 0);

/** The numbers of INFO, of commands how often they were called, of errors how many. */
async function infoOf(wire: Wire): Promise<Map<string, number>> {
  const text = String(await wire.ask('INFO', 'everything'));
  const fields = [...text.matchAll(/^([^:\r\n]+):(?:calls=|count=)?(\d+)[,\r]/gm)];
  return new Map(fields.map(([, field, value]) => [field, Number(value)]));
}

async function openServed(count: number): Promise<Wire[]> {
  const wires: Wire[] = [];
  for (let i = 0; i < count; i += 1) {
    const wire = await openWire(server.port);
    await wire.ask('PING');
    wires.push(wire);
  }
  return wires;
}

const INFO_REQUEST_BYTES = requestBytes('INFO', 'everything').length;

/** The same counts under INFO's names. */
const INFO_FIELDS: Readonly<Record<string, string>> = {
  keyspace_hits_total: 'keyspace_hits',
  keyspace_misses_total: 'keyspace_misses',
  error_replies_total: 'total_error_replies',
  commands_total: 'total_commands_processed',
  connections_accepted_total: 'total_connections_received',
  received_bytes_total: 'total_net_input_bytes',
  sent_bytes_total: 'total_net_output_bytes',
  'errors_total{prefix="ERR"}': 'errorstat_ERR',
};

function infoFieldsOf(tally: Tally): [field: string, count: number][] {
  return [...tally].flatMap(([name, count]): [string, number][] => {
    const command = /^command_calls_total\{command="(.+)"\}$/.exec(name)?.[1];
    const field = command === undefined ? INFO_FIELDS[name] : `cmdstat_${command}`;
    return field === undefined ? [] : [[field, count]];
  });
}

describe('the totals', () => {
  it('are what the clients did: commands by name, hits, misses, errors, bytes, connections', async () => {
    const [control] = await openServed(1);
    const countsBefore = await readCounts(server.httpPort, '');
    const controlBytesBefore = control.socket.bytesRead;
    const infoBefore = await infoOf(control);
    const wires = await openServed(CLIENTS);
    const tally: Tally = new Map([
      ['connections_accepted_total', CLIENTS],
      // Those of openServed, and the INFO above.
      ['commands_total', CLIENTS + 1],
      ['command_calls_total{command="ping"}', CLIENTS],
      ['command_calls_total{command="info"}', 1],
    ]);
    await Promise.all(wires.map((wire, client) => work(wire, client, tally)));
    tally.set('received_bytes_total', sum(wires, 'bytesWritten') + INFO_REQUEST_BYTES);
    tally.set('sent_bytes_total', sum(wires, 'bytesRead') + control.socket.bytesRead - controlBytesBefore);
    const countsAfter = await readCounts(server.httpPort, '');
    for (const [name, count] of tally) {
      expect([name, change(countsBefore, countsAfter, name)]).toEqual([name, count]);
    }
    // Each INFO tells of itself and its request, not yet of its reply: between two of them lies one of each.
    const infoAfter = await infoOf(control);
    for (const [field, count] of infoFieldsOf(tally)) {
      const own = (infoAfter.get(field) ?? Number.NaN) - (infoBefore.get(field) ?? 0);
      expect([field, own]).toEqual([field, count]);
    }
    for (const { close } of wires) close();
    await eventually(async () => {
      const counts = await readCounts(server.httpPort, '');
      return change(countsBefore, counts, 'connections_closed_total') === CLIENTS;
    });
    expect(change(countsBefore, await readCounts(server.httpPort, ''), 'connections_open')).toBe(0);
    control.close();
  });

  it('of each worker add up to both having worked', async () => {
    const wires = await openServed(4);
    for (const wire of wires) wire.socket.write(requestBytes('PING'));
    for (const wire of wires) expect(await wire.reply()).toBe('+PONG');
    const text = await (await fetch(`http://127.0.0.1:${server.httpPort}/metrics`)).text();
    const ofWorkers = [...text.matchAll(/^distcache_commands_total\{worker="\d+"\} (\d+)$/gm)];
    expect(ofWorkers).toHaveLength(2);
    for (const [, count] of ofWorkers) expect(Number(count)).toBeGreaterThan(1);
    for (const { close } of wires) close();
  });

  it('of expired keys are the keys that had a deadline, whoever finds them', async () => {
    const KEYS = 2_000;
    const wires = await openServed(4);
    const before = await readCounts(server.httpPort, '');
    await Promise.all(
      wires.map(async (wire, client) => {
        const requests = Array.from({ length: KEYS }, (_, i) =>
          requestBytes('SET', `due-${client}:${i}`, 'v', 'PX', '20'),
        );
        wire.socket.write(Buffer.concat(requests));
        for (let i = 0; i < KEYS; i += 1) expect(await wire.reply()).toBe('+OK');
      }),
    );
    // Some are found by readers, some by the housekeeping.
    await eventually(async () => {
      await Promise.all(
        wires.map((wire, client) =>
          wire.ask('EXISTS', ...Array.from({ length: 50 }, (_, i) => `due-${client}:${i}`)),
        ),
      );
      const counts = await readCounts(server.httpPort, '');
      return change(before, counts, 'shard_expired_keys_total') >= KEYS * wires.length;
    });
    const after = await readCounts(server.httpPort, '');
    expect(change(before, after, 'shard_expired_keys_total')).toBe(KEYS * wires.length);
    expect((await infoOf(wires[0])).get('expired_keys')).toBe(after.get('shard_expired_keys_total')?.value);
    for (const { close } of wires) close();
  });

  it('of evicted keys are those that came and are not there', async () => {
    const KEYS = 3_000;
    const MAX = 500;
    const wires = await openServed(4);
    await wires[0].ask('FLUSHALL');
    await wires[0].ask('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru', 'maxkeys', `${MAX}`);
    const before = await readCounts(server.httpPort, '');
    await Promise.all(
      wires.map(async (wire, client) => {
        const requests = Array.from({ length: KEYS }, (_, i) =>
          requestBytes('SET', `new-${client}:${i}`, 'v'),
        );
        wire.socket.write(Buffer.concat(requests));
        for (let i = 0; i < KEYS; i += 1) expect(await wire.reply()).toBe('+OK');
      }),
    );
    const left = Number(String(await wires[0].ask('DBSIZE')).slice(1));
    expect(left).toBeLessThanOrEqual(MAX);
    const after = await readCounts(server.httpPort, '');
    expect(change(before, after, 'shard_evicted_keys_total')).toBe(KEYS * wires.length - left);
    expect((await infoOf(wires[0])).get('evicted_keys')).toBe(after.get('shard_evicted_keys_total')?.value);
    for (const { close } of wires) close();
  });
});
