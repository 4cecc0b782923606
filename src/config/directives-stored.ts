/**
 * The names of redis-server 7.0 that change nothing here, with its defaults and checks: they are accepted, kept
 * and answered, so that a redis.conf and the tools around it go on working. Any thread.
 */
import { type Directive, INT_MAX, INT_MIN, INT64_MAX, PORT_MAX, UINT_MAX, UINT64_MAX } from './directive.ts';
import { checkHostName, checkTitleTemplate } from './string-checks.ts';

type Row = Pick<Directive, 'name' | 'type' | 'default'> & Partial<Directive>;

const LOADING_INTERVAL_BYTES_MIN = 1024;
const SHUTDOWN_FLAGS = ['default', 'save', 'nosave', 'now', 'force'];

const SNAPSHOTS_AND_LOG = theme('Snapshots and log of redis-server.', [
  bool('rdbchecksum', 'yes', { mutable: false }),
  bool('rdbcompression', 'yes'),
  bool('rdb-del-sync-files', 'no'),
  bool('rdb-save-incremental-fsync', 'yes'),
  bool('no-appendfsync-on-rewrite', 'no'),
  bool('aof-use-rdb-preamble', 'yes'),
  bool('aof-timestamp-enabled', 'no'),
  bool('aof-disable-auto-gc', 'no'),
  bool('aof-rewrite-incremental-fsync', 'yes'),
  choice('sanitize-dump-payload', 'no', ['no', 'yes', 'clients']),
  int('rdb-key-save-delay', '0', INT_MIN, INT_MAX, { hidden: true }),
  int('key-load-delay', '0', INT_MIN, INT_MAX, { hidden: true }),
  int('loading-process-events-interval-bytes', '2097152', LOADING_INTERVAL_BYTES_MIN, INT_MAX, {
    hidden: true,
  }),
]);

const REPLICATION = theme('Replication of redis-server.', [
  { name: 'replicaof', alias: 'slaveof', type: 'master-address', default: '', mutable: false },
  bool('replica-serve-stale-data', 'yes', { alias: 'slave-serve-stale-data' }),
  bool('replica-read-only', 'yes', { alias: 'slave-read-only' }),
  bool('replica-lazy-flush', 'no', { alias: 'slave-lazy-flush' }),
  bool('replica-ignore-maxmemory', 'yes', { alias: 'slave-ignore-maxmemory' }),
  bool('replica-ignore-disk-write-errors', 'no'),
  bool('replica-announced', 'yes'),
  int('replica-priority', '100', 0, INT_MAX, { alias: 'slave-priority' }),
  int('replica-announce-port', '0', 0, PORT_MAX, { alias: 'slave-announce-port' }),
  string('replica-announce-ip', '', { alias: 'slave-announce-ip' }),
  bool('repl-disable-tcp-nodelay', 'no'),
  bool('repl-diskless-sync', 'yes'),
  int('repl-diskless-sync-delay', '5', 0, INT_MAX),
  int('repl-diskless-sync-max-replicas', '0', 0, INT_MAX),
  choice('repl-diskless-load', 'disabled', ['disabled', 'on-empty-db', 'swapdb']),
  int('repl-ping-replica-period', '10', 1, INT_MAX, { alias: 'repl-ping-slave-period' }),
  int('repl-backlog-ttl', '3600', 0, INT64_MAX),
  choice('propagation-error-behavior', 'ignore', ['ignore', 'panic', 'panic-on-replicas']),
]);

const CLUSTER = theme('Cluster of redis-server.', [
  string('cluster-config-file', 'nodes.conf', { mutable: false }),
  bool('cluster-replica-no-failover', 'no', { alias: 'cluster-slave-no-failover' }),
  bool('cluster-allow-pubsubshard-when-down', 'yes'),
  bool('cluster-allow-replica-migration', 'yes'),
  int('cluster-replica-validity-factor', '10', 0, INT_MAX, { alias: 'cluster-slave-validity-factor' }),
  int('cluster-migration-barrier', '1', 0, INT_MAX),
  memory('cluster-link-sendbuf-limit', '0', 0, UINT64_MAX),
  int('cluster-port', '0', 0, PORT_MAX, { mutable: false }),
  int('cluster-announce-bus-port', '0', 0, PORT_MAX),
  string('cluster-announce-hostname', '', { check: checkHostName }),
  choice('cluster-preferred-endpoint-type', 'ip', ['ip', 'hostname', 'unknown-endpoint']),
]);

const TLS = theme(
  'TLS of redis-server that has no meaning here: towards other servers, and memory for sessions.',
  [
    int('tls-session-cache-size', '20480', 0, INT_MAX),
    string('tls-client-cert-file', ''),
    string('tls-client-key-file', ''),
    string('tls-client-key-file-pass', ''),
  ],
);

const MEMORY_AND_HOUSEKEEPING = theme('Memory and housekeeping of redis-server.', [
  int('maxmemory-samples', '5', 1, INT_MAX),
  int('maxmemory-eviction-tenacity', '10', 0, 100),
  bool('lazyfree-lazy-eviction', 'no'),
  bool('lazyfree-lazy-expire', 'no'),
  bool('lazyfree-lazy-server-del', 'no'),
  bool('lazyfree-lazy-user-del', 'no'),
  bool('lazyfree-lazy-user-flush', 'no'),
  bool('activerehashing', 'yes'),
  int('active-expire-effort', '1', 1, 10),
  bool('activedefrag', 'no'),
  memory('active-defrag-ignore-bytes', '100mb', 1, INT64_MAX),
  int('active-defrag-threshold-lower', '10', 0, 1000),
  int('active-defrag-threshold-upper', '100', 0, 1000),
  int('active-defrag-cycle-min', '1', 1, 99),
  int('active-defrag-cycle-max', '25', 1, 99),
  int('active-defrag-max-scan-fields', '1000', 1, INT64_MAX),
  bool('jemalloc-bg-thread', 'yes'),
  bool('disable-thp', 'yes', { mutable: false }),
]);

const ENCODINGS = theme('Encodings of collections in redis-server.', [
  int('list-max-listpack-size', '-2', INT_MIN, INT_MAX, { alias: 'list-max-ziplist-size' }),
  int('list-compress-depth', '0', 0, INT_MAX),
  memory('stream-node-max-bytes', '4096', 0, INT64_MAX),
  int('stream-node-max-entries', '100', 0, INT64_MAX),
]);

const PROCESS = theme('Process, threads and system log of redis-server.', [
  int('hz', '10', 0, INT_MAX),
  bool('dynamic-hz', 'yes'),
  int('io-threads', '1', 1, 128, { mutable: false }),
  bool('io-threads-do-reads', 'no', { mutable: false }),
  bool('daemonize', 'no', { mutable: false }),
  choice('supervised', 'no', ['upstart', 'systemd', 'auto', 'no'], { mutable: false }),
  string('pidfile', '', { mutable: false }),
  bool('always-show-logo', 'no', { mutable: false }),
  bool('set-proc-title', 'yes', { mutable: false }),
  string('proc-title-template', '{title} {listen-addr} {server-mode}', { check: checkTitleTemplate }),
  bool('crash-log-enabled', 'yes'),
  bool('crash-memcheck-enabled', 'yes'),
  bool('use-exit-on-panic', 'no', { hidden: true }),
  int('watchdog-period', '0', 0, INT_MAX, { hidden: true }),
  string('ignore-warnings', ''),
  bool('syslog-enabled', 'no', { mutable: false }),
  string('syslog-ident', 'redis', { mutable: false }),
  choice(
    'syslog-facility',
    'local0',
    ['user', 'local0', 'local1', 'local2', 'local3', 'local4', 'local5', 'local6', 'local7'],
    { mutable: false },
  ),
  choice('oom-score-adj', 'no', ['no', 'yes', 'relative', 'absolute']),
  { name: 'oom-score-adj-values', type: 'oom-scores', default: '0 200 800' },
  string('server_cpulist', '', { mutable: false }),
  string('bio_cpulist', '', { mutable: false }),
  string('aof_rewrite_cpulist', '', { mutable: false }),
  string('bgsave_cpulist', '', { mutable: false }),
  string('bind-source-addr', ''),
  int('socket-mark-id', '0', 0, UINT_MAX, { mutable: false }),
  int('shutdown-timeout', '10', 0, INT_MAX),
  { name: 'shutdown-on-sigint', type: 'flags', default: 'default', values: SHUTDOWN_FLAGS },
  { name: 'shutdown-on-sigterm', type: 'flags', default: 'default', values: SHUTDOWN_FLAGS },
]);

const INSPECTION = theme('Inspection and scripts of redis-server.', [
  int('busy-reply-threshold', '5000', 0, INT64_MAX, { alias: 'lua-time-limit' }),
  choice('enable-module-command', 'no', ['no', 'yes', 'local'], { mutable: false }),
]);

export const STORED_DIRECTIVES: readonly Directive[] = [
  ...MEMORY_AND_HOUSEKEEPING,
  ...ENCODINGS,
  ...SNAPSHOTS_AND_LOG,
  ...REPLICATION,
  ...CLUSTER,
  ...TLS,
  ...PROCESS,
  ...INSPECTION,
];

function theme(doc: string, rows: readonly Row[]): readonly Directive[] {
  return rows.map((row) => ({ mutable: true, effect: 'stored', doc, ...row }));
}

function bool(name: string, value: 'yes' | 'no', rest: Partial<Directive> = {}): Row {
  return { name, type: 'bool', default: value, ...rest };
}

function int(
  name: string,
  value: string,
  min: number,
  max: number | bigint,
  rest: Partial<Directive> = {},
): Row {
  return { name, type: 'int', default: value, min, max, ...rest };
}

function memory(
  name: string,
  value: string,
  min: number,
  max: number | bigint,
  rest: Partial<Directive> = {},
): Row {
  return { name, type: 'memory', default: value, min, max, ...rest };
}

function choice(name: string, value: string, values: readonly string[], rest: Partial<Directive> = {}): Row {
  return { name, type: 'enum', default: value, values, ...rest };
}

function string(name: string, value: string, rest: Partial<Directive> = {}): Row {
  return { name, type: 'string', default: value, ...rest };
}
