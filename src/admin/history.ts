/**
 * The last fifteen minutes, a sample for each second, so that a page that is opened or loaded anew is not empty.
 *
 * Main thread. A ring of columns, one typed array per number, and one per command that was ever called:
 *
 *                     0     1     2          next        capacity - 1
 *                    ┌─────┬─────┬─ ... ─┬──────────┬─ ... ─┐
 *   monotonicMs      │     │     │       │ (oldest) │       │     when it was taken
 *   opsPerSecond     │     │     │       │          │       │     and so on: SAMPLE_FIELDS
 *   calls of GET     │     │     │       │          │       │     in that second
 *                    └─────┴─────┴─ ... ─┴──────────┴─ ... ─┘
 *
 * Times are kept by the monotonic clock and told by the wall clock as it is when they are told, so they ascend and end now
 * even if the wall clock was set meanwhile. Some 300 KiB, and 7 KiB for each command.
 */
import { HISTORY_BUSY_COMMANDS, HISTORY_SAMPLES_MAX } from '../config/limits.ts';

/** The numbers of a sample, flat. Rates are per second, over the time since the sample before. */
export const SAMPLE_FIELDS = [
  'opsPerSecond',
  'latencyP50Us',
  'latencyP99Us',
  'latencyP999Us',
  'latencyMaxUs',
  'turnP50Us',
  'turnP99Us',
  'turnMaxUs',
  'loopDelayP50Ms',
  'loopDelayP99Ms',
  'loopDelayMaxMs',
  'hitsPerSecond',
  'missesPerSecond',
  'usedBytes',
  'limitBytes',
  'rssBytes',
  'keys',
  'evictedPerSecond',
  'evictedIdleSeconds',
  'expiredPerSecond',
  'expiryLagMs',
  'connections',
  'acceptedPerSecond',
  'inBytesPerSecond',
  'outBytesPerSecond',
  'errorsPerSecond',
  'cpuPercent',
  'lockWaitsPerSecond',
  'logBytesPerSecond',
  'syncsPerSecond',
  'syncMs',
  'unsyncedBytes',
] as const;

type SampleField = (typeof SAMPLE_FIELDS)[number];

export type SampleFigures = Record<SampleField, number>;

type NestedField = Extract<SampleField, `${'latency' | 'turn' | 'loopDelay'}${string}`>;

type Percentiles = { readonly p50: number; readonly p99: number; readonly max: number };

/** A sample as /v1/live and /v1/history tell it. `t` is wall time in ms. */
export type LiveSample = Readonly<Omit<SampleFigures, NestedField>> & {
  readonly t: number;
  /** Calls per second of the busiest commands of the whole time, and of the `other` ones together. */
  readonly commands: Readonly<Record<string, number>>;
  readonly latencyUs: Percentiles & { readonly p999: number };
  readonly turnUs: Percentiles;
  readonly loopDelayMs: Percentiles;
};

export type History = {
  readonly capacity: number;
  /** By the id of the command. */
  readonly commandNames: readonly string[];
  /** Samples that are there, and where the next one goes. */
  length: number;
  next: number;
  readonly monotonicMs: Float64Array;
  readonly elapsedMs: Float64Array;
  readonly columns: Readonly<Record<SampleField, Float64Array>>;
  /** By the id of the command: undefined until it is called, then one number a sample. */
  readonly calls: (Float64Array | undefined)[];
  /** By the id of the command: all calls of the samples that are there. */
  readonly callTotals: Float64Array;
};

/** The clocks as they are when a sample is told. */
export type Now = { readonly wallMs: number; readonly monotonicMs: number };

const MS_PER_SECOND = 1000;
const OTHER_COMMANDS = 'other';
/** Samples are told in thousandths. */
const TOLD_PARTS = 1000;

export function createHistory(
  commandNames: readonly string[],
  capacity: number = HISTORY_SAMPLES_MAX,
): History {
  const column = () => new Float64Array(capacity);
  return {
    capacity,
    commandNames,
    length: 0,
    next: 0,
    monotonicMs: column(),
    elapsedMs: column(),
    columns: Object.fromEntries(SAMPLE_FIELDS.map((field) => [field, column()])) as Record<
      SampleField,
      Float64Array
    >,
    calls: commandNames.map(() => undefined),
    callTotals: new Float64Array(commandNames.length),
  };
}

/** Adds a sample, in place of the oldest when the ring is full. `calls` is by command id, since the sample before. */
export function addSample(
  history: History,
  time: { readonly monotonicMs: number; readonly elapsedMs: number },
  figures: Readonly<SampleFigures>,
  calls: Float64Array,
): void {
  const { next, capacity, columns } = history;
  history.monotonicMs[next] = time.monotonicMs;
  history.elapsedMs[next] = time.elapsedMs;
  for (const field of SAMPLE_FIELDS) columns[field][next] = figures[field];
  addCalls(history, calls);
  history.next = (next + 1) % capacity;
  history.length = Math.min(capacity, history.length + 1);
}

/** All samples, the oldest first. Some 4 ms for 900 of them. */
export function readHistory(history: History, now: Now): LiveSample[] {
  const busy = busiestCommands(history);
  const { capacity, length, next } = history;
  const oldest = next - length + capacity;
  return Array.from({ length }, (_, index) => sampleAt(history, (oldest + index) % capacity, now, busy));
}

/** The sample that was added last; undefined before the first. */
export function latestSample(history: History, now: Now): LiveSample | undefined {
  const { capacity, length, next } = history;
  if (length === 0) return undefined;
  return sampleAt(history, (next - 1 + capacity) % capacity, now, busiestCommands(history));
}

function addCalls({ calls, callTotals, next, capacity }: History, counts: Float64Array): void {
  for (let id = 0; id < callTotals.length; id += 1) {
    const count = counts[id];
    let column = calls[id];
    if (column === undefined) {
      if (count === 0) continue;
      column = new Float64Array(capacity);
      calls[id] = column;
    }
    callTotals[id] += count - column[next];
    column[next] = count;
  }
}

/** The ids of the commands that were called most, the busiest first. */
function busiestCommands({ callTotals }: History): number[] {
  const called: number[] = [];
  for (let id = 0; id < callTotals.length; id += 1) if (callTotals[id] > 0) called.push(id);
  return called.sort((a, b) => callTotals[b] - callTotals[a]).slice(0, HISTORY_BUSY_COMMANDS);
}

function sampleAt(history: History, index: number, now: Now, busy: readonly number[]): LiveSample {
  const { columns, monotonicMs } = history;
  const at = (field: SampleField) => thousandths(columns[field][index]);
  return {
    t: Math.round(now.wallMs - (now.monotonicMs - monotonicMs[index])),
    opsPerSecond: at('opsPerSecond'),
    commands: commandsAt(history, index, busy),
    latencyUs: {
      p50: at('latencyP50Us'),
      p99: at('latencyP99Us'),
      p999: at('latencyP999Us'),
      max: at('latencyMaxUs'),
    },
    turnUs: { p50: at('turnP50Us'), p99: at('turnP99Us'), max: at('turnMaxUs') },
    loopDelayMs: { p50: at('loopDelayP50Ms'), p99: at('loopDelayP99Ms'), max: at('loopDelayMaxMs') },
    hitsPerSecond: at('hitsPerSecond'),
    missesPerSecond: at('missesPerSecond'),
    usedBytes: at('usedBytes'),
    limitBytes: at('limitBytes'),
    rssBytes: at('rssBytes'),
    keys: at('keys'),
    evictedPerSecond: at('evictedPerSecond'),
    evictedIdleSeconds: at('evictedIdleSeconds'),
    expiredPerSecond: at('expiredPerSecond'),
    expiryLagMs: at('expiryLagMs'),
    connections: at('connections'),
    acceptedPerSecond: at('acceptedPerSecond'),
    inBytesPerSecond: at('inBytesPerSecond'),
    outBytesPerSecond: at('outBytesPerSecond'),
    errorsPerSecond: at('errorsPerSecond'),
    cpuPercent: at('cpuPercent'),
    lockWaitsPerSecond: at('lockWaitsPerSecond'),
    logBytesPerSecond: at('logBytesPerSecond'),
    syncsPerSecond: at('syncsPerSecond'),
    syncMs: at('syncMs'),
    unsyncedBytes: at('unsyncedBytes'),
  };
}

function commandsAt(history: History, index: number, busy: readonly number[]): Record<string, number> {
  const perSecond = MS_PER_SECOND / history.elapsedMs[index];
  const commands: Record<string, number> = {};
  let all = 0;
  for (const column of history.calls) all += column?.[index] ?? 0;
  for (const id of busy) {
    const count = history.calls[id]?.[index] ?? 0;
    commands[history.commandNames[id]] = thousandths(count * perSecond);
    all -= count;
  }
  commands[OTHER_COMMANDS] = thousandths(all * perSecond);
  return commands;
}

function thousandths(value: number): number {
  return Math.round(value * TOLD_PARTS) / TOLD_PARTS;
}
