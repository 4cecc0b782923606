/**
 * The report of MEMORY DOCTOR: what about the memory in use looks like trouble. The frame, and the bounds where they mean the
 * same, are redis-server's; the findings are for this server.
 *
 * Pure; any thread.
 */
import { MIB } from '../config/limits.ts';
import type { MemoryFigures } from './memory-figures.ts';

/** What is looked at besides the figures of memory. */
export type MemoryFacts = {
  readonly memory: MemoryFigures;
  readonly limitBytes: number;
  readonly policy: string;
  readonly threads: number;
  /** How long the keys that were evicted last had not been used, in the mean over the shards; undefined without evictions. */
  readonly evictedIdleSeconds: number | undefined;
  readonly clients: number;
  /** Requests and replies that wait in the buffers of all clients. */
  readonly clientBufferBytes: number;
};

const TOO_SMALL_BYTES = 5 * MIB;
const PEAK_RATIO = 1.5;
const FRAGMENTATION_RATIO = 1.4;
const FRAGMENTATION_BYTES = 10 * MIB;
const OVERHEAD_RATIO = 1.1;
const CLIENT_BUFFER_BYTES = 200 * 1024;
/**
 * The runtime takes some 70 MiB for each thread under load (measured: 210 MiB for main and two workers). Twice that is not
 * its own.
 */
const RUNTIME_BYTES_PER_THREAD = 140 * MIB;
const FULL_SHARE = 0.95;
const YOUNG_SECONDS = 60;

const EMPTY =
  "Hi Sam, this instance is empty or is using very little memory, my issues detector can't be used in these conditions. " +
  'Please, leave for your mission on Earth and fill it with some data. The new Sam and I will be back to our programming as ' +
  'soon as I finished rebooting.\n';
const NO_ISSUE =
  "Hi Sam, I can't find any memory issue in your instance. I can only account for what occurs on this base.\n";
const ISSUES_FOLLOW = 'Sam, I detected a few issues in this Redis instance memory implants:\n\n';
const LAST_LINE = "I'm here to keep you safe, Sam. I want to help you.\n";

type Finding = { readonly isFound: (facts: MemoryFacts) => boolean; readonly text: string };

const FINDINGS: readonly Finding[] = [
  {
    isFound: ({ memory }) => memory.peakBytes > PEAK_RATIO * memory.usedBytes,
    text:
      'Peak memory: In the past this instance used more than 150% the memory that is currently using. The arenas of the shards ' +
      'do not give memory back to the system after a peak, so you can expect to see a Resident Set Size (RSS) bigger than the ' +
      'used memory. This is harmless: the memory will be used as soon as you fill the instance with more data. If the peak was ' +
      'only occasional and you want the memory back, the only option is to restart the instance.',
  },
  {
    isFound: ({ memory: { arenaRatio, arenaBytes, usedBytes } }) =>
      arenaRatio > FRAGMENTATION_RATIO && arenaBytes - usedBytes > FRAGMENTATION_BYTES,
    text:
      'High fragmentation: The arenas of the shards are more than 1.4 times as large as the entries in them. This is usually due ' +
      'either to a large peak memory (check if there is a peak memory entry above in the report), and then there is no issue, or ' +
      'to keys that were removed or expired from among others. Holes are filled by what is written next, and when no hole is ' +
      'large enough entries are moved together, so that maxmemory is not exceeded.',
  },
  {
    isFound: ({ memory: { processRatio, processBytes }, threads }) =>
      processRatio > OVERHEAD_RATIO && processBytes > threads * RUNTIME_BYTES_PER_THREAD,
    text:
      'High process RSS overhead: The process holds much more memory than its shards do and than the runtime of its threads ' +
      'needs. This may be due to clients with large buffers (check CLIENT LIST), to many connections, or to a snapshot that is ' +
      'being taken or was taken lately.',
  },
  {
    isFound: ({ memory, limitBytes, policy }) =>
      policy === 'noeviction' && memory.usedBytes > FULL_SHARE * limitBytes,
    text:
      "Memory is full: The used memory is near maxmemory and the policy is 'noeviction', so that writes are about to be refused " +
      "or are refused. Raise maxmemory, remove keys, or set an eviction policy ('CONFIG SET maxmemory-policy allkeys-lru').",
  },
  {
    isFound: ({ memory, limitBytes, evictedIdleSeconds = Infinity }) =>
      evictedIdleSeconds < YOUNG_SECONDS && memory.usedBytes > FULL_SHARE * limitBytes,
    text:
      'Eviction pressure: Keys are evicted that were in use less than a minute before, so that the working set does not fit into ' +
      'maxmemory. Expect a low hit ratio. Raise maxmemory, store less, or give what is needed once a short time to live.',
  },
  {
    isFound: ({ clients, clientBufferBytes }) =>
      clients > 0 && clientBufferBytes > clients * CLIENT_BUFFER_BYTES,
    text:
      'Big client buffers: The buffers of the clients of this instance are greater than 200K per client (on average). This may ' +
      'result from clients that do not read their replies fast enough, or that send large requests or very large sequences of ' +
      'commands in the same pipeline. Please use the CLIENT LIST command in order to investigate the issue.',
  },
];

/** The whole report. */
export function memoryReport(facts: MemoryFacts): string {
  if (facts.memory.usedBytes < TOO_SMALL_BYTES) return EMPTY;
  const found = FINDINGS.filter(({ isFound }) => isFound(facts));
  if (found.length === 0) return NO_ISSUE;
  return `${ISSUES_FOLLOW}${found.map(({ text }) => ` * ${text}\n\n`).join('')}${LAST_LINE}`;
}
