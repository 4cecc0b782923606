/**
 * `npm run bench:memory`: what a key costs all told, here and in redis-server (a million keys of 10 bytes with 64-byte
 * values, without and with a TTL), and how much of `maxmemory` holds entries after the sizes of the values have changed
 * twice under random deletes.
 */
import { nextRandom } from '../src/base/random.ts';
import { ask, type FillRequest, requestText, sendMany } from './support/client.ts';
import { describeMachine, machineText } from './support/machine.ts';
import { type Column, markdownTable, mebibytes, percentText } from './support/markdown.ts';
import { type Options, runBenchmark, tellProgress, writeJson } from './support/options.ts';
import { ourPeer, type Peer, type RunningPeer, redisPeer, withPeer } from './support/peers.ts';
import { residentBytesOf } from './support/proc.ts';
import { infoNumber } from './support/server-text.ts';

/** `churn-mib`: the limit of the churn test; each of its three phases writes twice as much. */
const DEFAULTS = { keys: 1_000_000, 'churn-mib': 128, json: '' };

const VALUE_BYTES = 64;
const TTL_SECONDS = '3600';
const KEY_DIGITS = 9;
const WARM_UP_REQUESTS = 200_000;
const WARM_UP_KEYS = 100;
const CHURN_VALUE_BYTES = [64, 1024, 100];
/** One request in so many is a DEL of a key drawn from all that were written so far. */
const CHURN_DELETE_EVERY = 5;
const CHURN_TIMES_OVER = 2;
/** Even: see `fill`. */
const FILL_PARTS = 20;
const CHURN_SEED = 20_260_101;

const COST_COLUMNS: readonly Column[] = [
  { heading: 'server', align: 'left' },
  { heading: 'TTL', align: 'left' },
  { heading: 'keys', align: 'right' },
  { heading: 'used_memory per key', align: 'right' },
  { heading: 'resident per key', align: 'right' },
  { heading: 'used_memory to redis-server', align: 'right' },
];

const CHURN_COLUMNS: readonly Column[] = [
  { heading: 'phase', align: 'left' },
  { heading: 'keys at the end', align: 'right' },
  { heading: 'used_memory of maxmemory', align: 'right' },
  { heading: 'least of it on the way', align: 'right' },
  { heading: 'keys and values of maxmemory', align: 'right' },
  { heading: 'keys held, to a fresh server', align: 'right' },
  { heading: 'resident', align: 'right' },
];

type Cost = { server: string; ttl: string; keys: number; usedBytes: number; residentBytes: number };
type Fill = {
  valueBytes: number;
  keys: number;
  usedBytes: number;
  usedBytesLeast: number;
  residentBytes: number;
};

await runBenchmark(DEFAULTS, main);

async function main(options: Options<typeof DEFAULTS>): Promise<void> {
  const peers = [redisPeer(), ourPeer()];
  const costs: Cost[] = [];
  for (const ttl of ['no', 'yes']) {
    for (const peer of peers) costs.push(await measureCost(peer, options.keys, ttl));
  }
  const maxBytes = options['churn-mib'] * 2 ** 20;
  const { phases, fresh } = await measureChurn(maxBytes);
  const machine = describeMachine(peers.map(({ version }) => version));
  process.stdout.write(machineText(machine));
  process.stdout.write(
    `Keys of ${KEY_DIGITS + 1} bytes, values of ${VALUE_BYTES}; bytes beyond the empty server's.\n\n`,
  );
  process.stdout.write(
    markdownTable(
      COST_COLUMNS,
      costs.map((cost) => costCells(cost, costs)),
    ),
  );
  process.stdout.write(
    `\nChurn at maxmemory ${mebibytes(maxBytes)}, allkeys-lru, one request in ${CHURN_DELETE_EVERY} a random DEL.\n\n`,
  );
  process.stdout.write(
    markdownTable(
      CHURN_COLUMNS,
      phases.map((phase, index) => churnCells(phase, maxBytes, fresh[index])),
    ),
  );
  writeJson(options.json, { machine, options, costs, phases, fresh });
}

async function measureCost(peer: Peer, keys: number, ttl: string): Promise<Cost> {
  tellProgress(`${peer.name}, TTL: ${ttl}`);
  return withPeer(peer, async ({ port, pid }) => {
    await warmUp(port);
    const usedBefore = await usedMemory(port);
    const residentBefore = residentBytesOf(pid);
    const value = 'x'.repeat(VALUE_BYTES);
    const expiry = ttl === 'yes' ? ['EX', TTL_SECONDS] : [];
    await sendMany(port, keys, (target, at, index) =>
      writeWords(target, at, ['SET', keyText(index), value, ...expiry]),
    );
    await expectKeys(port, keys);
    const usedBytes = (await usedMemory(port)) - usedBefore;
    return { server: peer.name, ttl, keys, usedBytes, residentBytes: residentBytesOf(pid) - residentBefore };
  });
}

/** The three phases in one server, and what a fresh server holds when it is filled with each size alone. */
async function measureChurn(maxBytes: number): Promise<{ phases: Fill[]; fresh: Fill[] }> {
  const peer = ourPeer(['--maxmemory', String(maxBytes), '--maxmemory-policy', 'allkeys-lru']);
  const fresh: Fill[] = [];
  for (const valueBytes of CHURN_VALUE_BYTES) {
    tellProgress(`a fresh server filled with values of ${valueBytes} bytes`);
    fresh.push(await withPeer(peer, (running) => fill(running, valueBytes, 0, maxBytes, setter(valueBytes))));
  }
  const phases = await withPeer(peer, async (running) => {
    const results: Fill[] = [];
    let written = 0;
    for (const valueBytes of CHURN_VALUE_BYTES) {
      tellProgress(`churn with values of ${valueBytes} bytes`);
      results.push(await fill(running, valueBytes, written, maxBytes, setterWithDeletes(valueBytes)));
      written += requestsFor(valueBytes, maxBytes);
    }
    return results;
  });
  return { phases, fresh };
}

/** Writes in parts and looks at the memory after each; the first fill of a server counts from its second half on. */
async function fill(
  { port, pid }: RunningPeer,
  valueBytes: number,
  from: number,
  maxBytes: number,
  request: FillRequest,
): Promise<Fill> {
  const part = requestsFor(valueBytes, maxBytes) / FILL_PARTS;
  const usedBytes: number[] = [];
  for (let index = 0; index < FILL_PARTS; index += 1) {
    const base = from + index * part;
    await sendMany(port, part, (target, at, sent) => request(target, at, base + sent));
    usedBytes.push(await usedMemory(port));
  }
  return {
    valueBytes,
    keys: Number(await ask(port, 'DBSIZE')),
    usedBytes: usedBytes[FILL_PARTS - 1],
    usedBytesLeast: Math.min(...usedBytes.slice(from === 0 ? FILL_PARTS / 2 : 0)),
    residentBytes: residentBytesOf(pid),
  };
}

/** As many writes as hold `maxBytes` in keys and values, over and over; a multiple of FILL_PARTS. */
function requestsFor(valueBytes: number, maxBytes: number): number {
  return FILL_PARTS * Math.ceil((CHURN_TIMES_OVER * maxBytes) / (KEY_DIGITS + 1 + valueBytes) / FILL_PARTS);
}

function setter(valueBytes: number): FillRequest {
  const value = 'x'.repeat(valueBytes);
  return (target, at, index) => writeWords(target, at, ['SET', keyText(index), value]);
}

function setterWithDeletes(valueBytes: number): FillRequest {
  const set = setter(valueBytes);
  let state = CHURN_SEED;
  return (target, at, index) => {
    if (index === 0 || index % CHURN_DELETE_EVERY !== 0) return set(target, at, index);
    state = nextRandom(state);
    return writeWords(target, at, ['DEL', keyText((state >>> 0) % index)]);
  };
}

function writeWords(target: Buffer, at: number, words: readonly string[]): number {
  return at + target.write(requestText(words), at, 'latin1');
}

function keyText(index: number): string {
  return `k${String(index).padStart(KEY_DIGITS, '0')}`;
}

async function usedMemory(port: number): Promise<number> {
  return infoNumber(await ask(port, 'INFO', 'memory'), 'used_memory');
}

/** So that compiled code and buffers, which come with the first requests, are not taken for the keys' memory. */
async function warmUp(port: number): Promise<void> {
  const value = 'x'.repeat(VALUE_BYTES);
  await sendMany(port, WARM_UP_REQUESTS, (target, at, index) =>
    writeWords(target, at, ['SET', keyText(index % WARM_UP_KEYS), value]),
  );
  await ask(port, 'FLUSHALL');
}

async function expectKeys(port: number, keys: number): Promise<void> {
  const held = Number(await ask(port, 'DBSIZE'));
  if (held !== keys) throw new Error(`the server holds ${held} of ${keys} keys: give it more memory`);
}

function costCells(cost: Cost, costs: readonly Cost[]): string[] {
  const base = costs.find(({ server, ttl }) => server === 'redis-server' && ttl === cost.ttl) ?? cost;
  return [
    cost.server,
    cost.ttl,
    String(cost.keys),
    (cost.usedBytes / cost.keys).toFixed(1),
    (cost.residentBytes / cost.keys).toFixed(1),
    `${(cost.usedBytes / base.usedBytes).toFixed(2)}x`,
  ];
}

function churnCells(phase: Fill, maxBytes: number, fresh: Fill): string[] {
  return [
    `${phase.valueBytes} B`,
    String(phase.keys),
    percentText(phase.usedBytes / maxBytes),
    percentText(phase.usedBytesLeast / maxBytes),
    percentText((phase.keys * (KEY_DIGITS + 1 + phase.valueBytes)) / maxBytes),
    percentText(phase.keys / fresh.keys),
    mebibytes(phase.residentBytes),
  ];
}
