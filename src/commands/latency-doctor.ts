/**
 * The report of LATENCY DOCTOR: what spikes there were, and what may help. The figures and the frame are redis-server's word for
 * word; the advice is for this server.
 *
 * Pure; any thread.
 */
import type { LatencyEvents, LatencySeries } from '../metrics/latency-events.ts';

/** The directives in force that advice depends on. */
export type LatencySettings = {
  readonly latencyMonitorThreshold: number;
  readonly slowlogLogSlowerThan: number;
  readonly appendfsync: string;
};

const DISABLED =
  "I'm sorry, Dave, I can't do that. Latency monitoring is disabled in this Redis instance. You may use \"CONFIG SET " +
  "latency-monitor-threshold <milliseconds>.\" in order to enable it. If we weren't in a deep space mission I'd suggest to " +
  'take a look at https://redis.io/topics/latency-monitor.\n';
const NOTHING_SEEN =
  'Dave, no latency spike was observed during the lifetime of this Redis instance, not in the slightest bit. I honestly think ' +
  'you ought to sit down calmly, take a stress pill, and think things over.\n';
const SPIKES_SEEN =
  "Dave, I have observed latency spikes in this Redis instance. You don't mind talking about it, do you Dave?\n\n";
const ADVICE_FOLLOWS = '\nI have a few advices for you:\n\n';

const INSPECT_SLOW_LOG =
  'Check your Slow Log (SLOWLOG GET) to understand what are the commands you are running which are too slow to execute. ' +
  'Commands over many keys (KEYS, MGET and DEL of long lists) and large values are the usual ones: use SCAN, and ask for less ' +
  'at a time.';
const FREE_PROCESSOR =
  'The system is slow to execute commands that need no more than a microsecond. This usually means that the threads of this ' +
  'process do not get processor time. You should try to:\n' +
  '  1) Lower the system load.\n' +
  "  2) Have no more 'workers' than there are cores, and leave one core to other software on the same system.\n" +
  '  3) Check if you have a "noisy neighbour" problem, or a container whose share of the processor is throttled.\n' +
  "  4) Check with 'redis-cli --intrinsic-latency 100' what is the intrinsic latency in your system.\n" +
  '  5) Check the waits for locks of shards in /metrics: many clients on the keys of one shard wait for each other.';
const LOCAL_DISK =
  "It is strongly advised to use local disks for the 'dir' of the log. Remote disks provided by platform-as-a-service providers " +
  'are known to be slow.';
const FASTER_DISK =
  'SSD disks are able to reduce the latency of syncs, and of writes while a sync is going on.';
const LESS_CONTENTION =
  'Try to lower the disk contention. This is often caused by other disk intensive processes running in the same computer.';
const SLOWER_SNAPSHOTS =
  "The log was written while a snapshot was. Try a lower 'snapshot-cpu-share', or fewer snapshots ('save', " +
  "'auto-aof-rewrite-percentage').";
const RELAX_SYNC =
  "Your fsync policy is set to 'always': the replies to writes wait for the disk, others do not. If possible try to relax the " +
  "policy to 'everysec'.";
const SPREAD_EXPIRY =
  'Keys expire, and flushed databases are freed, in bursts of about a millisecond. Longer ones mean that the thread did not get ' +
  'processor time, or waited for the lock of its shard: lower the system load.';
const EASE_EVICTION =
  "A lower 'maxmemory' via CONFIG SET, or large values among small ones, may create sudden memory pressure: a write then waits " +
  'until enough keys are evicted. Raise maxmemory, or store values of like sizes.';

const SYNC_ADVICE = [LOCAL_DISK, FASTER_DISK, LESS_CONTENTION];

const ADVICE: Readonly<Record<string, readonly string[]>> = {
  command: [INSPECT_SLOW_LOG],
  'fast-command': [FREE_PROCESSOR],
  'expire-cycle': [SPREAD_EXPIRY],
  'eviction-cycle': [EASE_EVICTION],
  'aof-write-alone': [LOCAL_DISK, FASTER_DISK],
  'aof-write-pending-fsync': SYNC_ADVICE,
  'aof-write-active-child': [SLOWER_SNAPSHOTS, FASTER_DISK],
};

/** The whole report, at `nowMs` since the epoch. */
export function latencyReport(events: LatencyEvents, settings: LatencySettings, nowMs: number): string {
  if (events.size === 0) return settings.latencyMonitorThreshold === 0 ? DISABLED : NOTHING_SEEN;
  const lines = [...events].map(([event, series], index) => eventLine(index + 1, event, series, nowMs));
  const advice = adviceOn(events, settings);
  return `${SPIKES_SEEN}${lines.join('')}${ADVICE_FOLLOWS}${advice.map((text) => `- ${text}\n`).join('')}`;
}

function eventLine(number: number, event: string, { samples, maxMs }: LatencySeries, nowMs: number): string {
  const count = samples.length;
  const latencies = samples.map(({ latencyMs }) => latencyMs);
  const mean = wholeMean(latencies);
  const deviation = wholeMean(latencies.map((latencyMs) => Math.abs(mean - latencyMs)));
  const spanSeconds = Math.max(1, Math.floor(nowMs / 1000) - samples[0].atSeconds);
  return (
    `${number}. ${event}: ${count} latency spikes (average ${mean}ms, mean deviation ${deviation}ms, period ` +
    `${(spanSeconds / count).toFixed(2)} sec). Worst all time event ${maxMs}ms.\n`
  );
}

/** Each piece once, in the order of the events. */
function adviceOn(events: LatencyEvents, settings: LatencySettings): string[] {
  const advice = new Set<string>();
  for (const event of events.keys()) {
    if (event === 'command') for (const text of slowLogAdvice(settings)) advice.add(text);
    if (event === 'aof-fsync-always') {
      for (const text of settings.appendfsync === 'always' ? [RELAX_SYNC, ...SYNC_ADVICE] : SYNC_ADVICE)
        advice.add(text);
    }
    for (const text of ADVICE[event] ?? []) advice.add(text);
  }
  // 'aof-write' comes with one of those that say what went on meanwhile, unless those were reset.
  if (advice.size === 0) advice.add(FASTER_DISK);
  return [...advice];
}

/** The slow log should show what the monitor sees. */
function slowLogAdvice({ slowlogLogSlowerThan, latencyMonitorThreshold }: LatencySettings): string[] {
  const wantedUs = latencyMonitorThreshold * 1000;
  if (slowlogLogSlowerThan < 0) {
    return [
      'There are latency issues with potentially slow commands you are using. Try to enable the Slow Log using the command ' +
        `'CONFIG SET slowlog-log-slower-than ${wantedUs}'.`,
    ];
  }
  if (slowlogLogSlowerThan <= wantedUs) return [];
  return [
    'Your current Slow Log configuration only logs events that are slower than your configured latency monitor threshold. ' +
      `Please use 'CONFIG SET slowlog-log-slower-than ${wantedUs}'.`,
  ];
}

function wholeMean(values: readonly number[]): number {
  return Math.floor(values.reduce((sum, value) => sum + value, 0) / values.length);
}
