/**
 * What each chart over time shows: which columns of the history, in which unit and colour. Data only.
 *
 * Lines that belong together have colours apart also for the colour-blind, and never only colour tells: the legend is
 * in the order of the lines and carries the numbers.
 */
import {
  formatBytes,
  formatBytesRate,
  formatCount,
  formatMicroseconds,
  formatMilliseconds,
  formatPercent,
  formatRate,
  formatSeconds,
} from './format.js';

/**
 * @typedef {object} Line
 * @property {string} column of the history
 * @property {string} label
 * @property {string} colour a custom property
 * @property {boolean} [filled]
 * @property {boolean} [dashed]
 *
 * @typedef {object} Definition
 * @property {string} id of its element in the page
 * @property {string} title
 * @property {string} hint what it tells, for the pointer that rests on the title
 * @property {(value: number | null | undefined) => string} format
 * @property {Line[]} lines
 * @property {'linear' | 'log' | 'ratio' | 'stack'} scale `stack`: by command, instead of `lines`
 * @property {'binary' | 'time'} [steps] of the axis: in powers of two, or in minutes and hours
 * @property {boolean} [isZeroNone] whether zero says that there was none, rather than that it took no time
 * @property {number} [floor] the axis reaches at least so far up
 */

/** In the order of the commands that appear; the ninth colour is for all others together. */
export const STACK_COLOURS = [
  '--series-1',
  '--series-2',
  '--series-3',
  '--series-4',
  '--series-5',
  '--series-6',
  '--series-7',
  '--series-8',
];
export const OTHER_COLOUR = '--series-other';

/** @type {Definition[]} */
export const CHARTS = [
  {
    id: 'chart-throughput',
    title: 'Throughput by command',
    hint: 'Commands per second: the eight busiest of the last fifteen minutes, and all others together',
    format: formatRate,
    scale: 'stack',
    lines: [],
    floor: 10,
  },
  {
    id: 'chart-latency',
    title: 'Latency',
    hint: 'Time from a command to its reply inside the server, all commands, by second. Logarithmic',
    format: formatMicroseconds,
    scale: 'log',
    lines: [
      { column: 'latencyUs.p50', label: 'p50', colour: '--series-3' },
      { column: 'latencyUs.p99', label: 'p99', colour: '--series-1' },
      { column: 'latencyUs.p999', label: 'p99.9', colour: '--series-5' },
      { column: 'latencyUs.max', label: 'max', colour: '--series-other', dashed: true },
    ],
  },
  {
    id: 'chart-connections',
    title: 'Connections',
    hint: 'Open connections, and how many were accepted in a second',
    format: formatCount,
    scale: 'linear',
    lines: [
      { column: 'connections', label: 'open', colour: '--series-1', filled: true },
      { column: 'acceptedPerSecond', label: 'accepted /s', colour: '--series-2' },
    ],
    floor: 4,
  },
  {
    id: 'chart-network',
    title: 'Network',
    hint: 'Bytes of requests and of replies per second',
    format: formatBytesRate,
    scale: 'linear',
    steps: 'binary',
    lines: [
      { column: 'inBytesPerSecond', label: 'in', colour: '--series-3' },
      { column: 'outBytesPerSecond', label: 'out', colour: '--series-1' },
    ],
    floor: 1024,
  },
  {
    id: 'chart-turns',
    title: 'Turn length',
    hint: 'How long the workers take for one pass over all connections that had something to say',
    format: formatMicroseconds,
    scale: 'linear',
    lines: [
      { column: 'turnUs.p50', label: 'p50', colour: '--series-3' },
      { column: 'turnUs.p99', label: 'p99', colour: '--series-1' },
    ],
    floor: 100,
  },
  {
    id: 'chart-loop',
    title: 'Event-loop delay',
    hint: 'How late the workers come to work that is due',
    format: formatMilliseconds,
    scale: 'linear',
    lines: [
      { column: 'loopDelayMs.p50', label: 'p50', colour: '--series-3' },
      { column: 'loopDelayMs.p99', label: 'p99', colour: '--series-1' },
    ],
    floor: 1,
  },
  {
    id: 'chart-memory',
    title: 'Memory',
    hint: 'Bytes of keys, values and index against maxmemory, and what the process has in all',
    format: formatBytes,
    scale: 'linear',
    steps: 'binary',
    lines: [
      { column: 'usedBytes', label: 'used', colour: '--series-1', filled: true },
      { column: 'rssBytes', label: 'process', colour: '--series-3' },
      { column: 'limitBytes', label: 'maxmemory', colour: '--series-other', dashed: true },
    ],
    floor: 1024 * 1024,
  },
  {
    id: 'chart-hits',
    title: 'Look-ups',
    hint: 'Look-ups per second that found their key, and that did not',
    format: formatRate,
    scale: 'linear',
    lines: [
      { column: 'hitsPerSecond', label: 'hits', colour: '--series-1', filled: true },
      { column: 'missesPerSecond', label: 'misses', colour: '--series-2' },
    ],
    floor: 10,
  },
  {
    id: 'chart-removed',
    title: 'Evicted and expired',
    hint: 'Keys per second that had to make room, and that reached their deadline',
    format: formatRate,
    scale: 'linear',
    lines: [
      { column: 'evictedPerSecond', label: 'evicted', colour: '--series-2' },
      { column: 'expiredPerSecond', label: 'expired', colour: '--series-3' },
    ],
    floor: 10,
  },
  {
    id: 'chart-idle',
    title: 'Age of evicted keys',
    hint: 'How long the keys that were evicted had not been used. Short means that the memory is too small',
    format: formatSeconds,
    scale: 'linear',
    steps: 'time',
    isZeroNone: true,
    lines: [{ column: 'evictedIdleSeconds', label: 'idle for', colour: '--series-2', filled: true }],
    floor: 1,
  },
  {
    id: 'chart-expiry',
    title: 'Expiry lag',
    hint: 'How late keys are removed after their deadline. A read never sees them, however late',
    format: formatMilliseconds,
    scale: 'linear',
    lines: [{ column: 'expiryLagMs', label: 'lag', colour: '--series-3', filled: true }],
    floor: 10,
  },
  {
    id: 'chart-log',
    title: 'Log',
    hint: 'Bytes written to the log per second, and bytes that the disk has not confirmed',
    format: formatBytes,
    scale: 'linear',
    steps: 'binary',
    lines: [
      { column: 'logBytesPerSecond', label: 'written /s', colour: '--series-1', filled: true },
      { column: 'unsyncedBytes', label: 'not synced', colour: '--series-2' },
    ],
    floor: 1024,
  },
  {
    id: 'chart-sync',
    title: 'fsync',
    hint: 'How long the disk takes to confirm what was written',
    format: formatMilliseconds,
    scale: 'linear',
    isZeroNone: true,
    lines: [{ column: 'syncMs', label: 'took', colour: '--series-1', filled: true }],
    floor: 5,
  },
  {
    id: 'chart-cpu',
    title: 'Processor',
    hint: 'Of one core: 200 % are two cores at work',
    format: (percent) => formatPercent(percent === null || percent === undefined ? percent : percent / 100),
    scale: 'linear',
    lines: [{ column: 'cpuPercent', label: 'process', colour: '--series-1', filled: true }],
    floor: 100,
  },
  {
    id: 'chart-trouble',
    title: 'Lock waits and errors',
    hint: 'Times a second that a thread waited for a shard, and replies that were errors',
    format: formatRate,
    scale: 'linear',
    lines: [
      { column: 'lockWaitsPerSecond', label: 'lock waits', colour: '--series-1' },
      { column: 'errorsPerSecond', label: 'errors', colour: '--series-6' },
    ],
    floor: 10,
  },
];
