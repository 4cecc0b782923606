/**
 * Every named bound of the server, and how they relate: the relations are asserted when this file is loaded, so
 * that a changed number which breaks another one stops the process at start. Any thread.
 */
import { assert } from '../base/assert.ts';

const KIB = 1024;
export const MIB = 1024 * KIB;
export const GIB = 1024 * MIB;

/** Threads and databases. */
export const WORKERS_MAX = 256;
export const DATABASES_MAX = 64;

/**
 * One shard's arena: entries are found by a positive 32-bit number of an 8-byte cell, and the arenas stay within
 * what one SharedArrayBuffer of the runtime may hold.
 */
const ARENA_CELL_BYTES = 8;
export const ARENA_BYTES_MAX = 8 * GIB;

/** The least share of `maxmemory` that one worker's shard works with. */
export const SHARD_MEMORY_BYTES_MIN = 1 * MIB;

/**
 * Shards: at most so many for each worker, and more than one only where each keeps this much memory and so many keys: a
 * value must fit into its shard, and the limits of a small cache should not be cut too fine.
 */
export const SHARDS_PER_WORKER_MAX = 4;
export const SHARD_ROOMY_BYTES = 64 * MIB;
export const SHARD_ROOMY_KEYS = 1024;
export const SHARDS_MAX = WORKERS_MAX * SHARDS_PER_WORKER_MAX;

/** A shard's lock: spins before a waiter sleeps, and the longest it sleeps before it looks again. */
export const LOCK_SPINS_MAX = 200;
export const LOCK_NAP_MS = 20;

/** Entries that one slice of housekeeping removes under the lock: some 100 us. */
export const HOUSEKEEPING_SLICE_ENTRIES = 256;
/** A field of a hash that is due takes the room of so many entries in a slice: it is found and removed in two trees. */
export const ENTRIES_PER_DUE_FIELD = 4;
/** How long a replica waits for the owner to say that a key has gone whose time has come. */
export const REPLICA_EXPIRY_GRACE_MS = 30_000;

/** Entries with hits that one eviction of `allkeys-s3fifo` puts back into the main queue, some 50 ns each, before it takes one all the same. */
export const FIFO_STEPS_MAX = 32;

/** A worker's rehearsal: the keys that it puts and expires in all, and in one step between two turns. */
export const REHEARSAL_KEYS = 30_000;
export const REHEARSAL_STEP_KEYS = 512;
/** How often a worker looks whether loading is over, after which it rehearses. */
export const REHEARSAL_CHECK_MS = 50;
/** More than one segment of the index holds, so that it is given back as well. */
export const REHEARSAL_WIDE_KEYS = 30_208;

/**
 * A walk over all keys (KEYS, SCAN with a great COUNT): entries and bytes that it takes in one hold of a lock, some
 * 100 us; entries in one turn, about a millisecond; and the pieces in which it keeps the names.
 */
export const WALK_SLICE_ENTRIES = 256;
export const WALK_SLICE_BYTES = 256 * KIB;
export const WALK_TURN_ENTRIES = 2048;
export const WALK_CHUNK_BYTES = 64 * KIB;

/**
 * DEL, UNLINK, EXISTS and TOUCH of more arguments than this run in slices: keys in one hold of the locks, some 300 us; and how
 * long a turn has for them.
 */
export const SLICED_KEYS_MIN = 1024;
export const SLICE_KEYS = 512;
export const SLICED_TURN_MS = 1;

/** RANDOMKEY: looks that may find only expired keys, which each removes by the slice, before it answers that there is none. */
export const RANDOM_KEY_ROUNDS_MAX = 100;

/** One read of a socket, and the buffer that collects requests which one read did not complete. */
export const READ_BUFFER_BYTES = 64 * KIB;
export const QUERY_BUFFER_START_BYTES = 16 * KIB;
export const QUERY_BUFFER_BYTES_MAX = 1 * GIB;

/** Of an argument's announced length, what is made room for before it is there. */
export const QUERY_BUFFER_ANNOUNCED_BYTES_MAX = 32 * MIB;
/** Buffers of requests that a worker keeps for the next ones: their bytes together, and how many. */
export const QUERY_BUFFERS_KEPT_BYTES_MAX = 16 * MIB;
export const QUERY_BUFFERS_KEPT_MAX = 64;

/** Requests, as redis-server bounds them. */
export const REQUEST_LINE_BYTES_MAX = 64 * KIB;
export const REQUEST_ARGUMENTS_MAX = 1024 * 1024;
export const UNAUTHENTICATED_ARGUMENTS_MAX = 10;
export const UNAUTHENTICATED_BULK_BYTES_MAX = 16 * KIB;
export const BULK_BYTES_MIN = 1 * MIB;

/**
 * What a client may have queued in MULTI, as `client-query-buffer-limit` counts it; what a queued command costs besides its arguments;
 * queues that are kept for the next ones, and how large each may be. What the records of one transaction may come to.
 */
export const TRANSACTION_BYTES_MAX = 1 * GIB;
export const QUEUED_COMMAND_OVERHEAD_BYTES = 16;
export const TRANSACTIONS_KEPT_MAX = 64;
export const TRANSACTION_BYTES_KEPT_MAX = 16 * KIB;
export const TRANSACTION_LOG_BYTES_MAX = 1 * GIB;

/** The keys that one client may watch: their bytes, with what each costs besides; and how many CLIENT LIST looks at. */
export const WATCHED_BYTES_MAX = 64 * MIB;
export const WATCHED_KEY_OVERHEAD_BYTES = 512;
export const WATCHES_SHOWN_MAX = 64;

/** One connection's share of a turn: more requests, or requests after so much of replies or time, wait for the next one. */
export const TURN_INPUT_BYTES_MAX = 256 * KIB;
export const TURN_OUTPUT_BYTES_MAX = 1 * MIB;
export const TURN_SHARE_MS = 2;

/**
 * Fast commands that are timed together, and what makes a command one that is timed alone: more arguments, or more bytes of
 * them or of its reply.
 */
export const STRETCH_COMMANDS_MAX = 32;
export const STRETCH_ARGUMENTS_MAX = 8;
export const STRETCH_BYTES_MAX = 16 * KIB;

/** The longest result of BITOP whose memory is kept for the next one. */
export const BIT_OPERATION_BYTES_KEPT_MAX = 4 * MIB;
/** A read of so few bytes holds a few commands: within a stretch, one such read in so many is timed. */
export const SMALL_READ_BYTES_MAX = 512;
export const SMALL_READS_PER_TIMED = 8;

/** What the runtime keeps for one write that waits behind others, besides its bytes: some 400 measured. */
export const QUEUED_WRITE_OVERHEAD_BYTES = 512;

/** A worker's buffer for the replies of one turn: at start, and the largest that is kept for the next. */
export const OUTPUT_BUFFER_BYTES = 256 * KIB;
export const OUTPUT_BUFFER_KEPT_BYTES_MAX = 4 * MIB;

/** Buffers that sockets had to keep and have brought back: so many bytes of a worker wait to be used again. */
export const OUTPUT_SPARES_BYTES_MAX = 8 * MIB;

/**
 * MONITOR: lines that are sent at once, in the middle of a turn; the longest line; the buffer for lines that is kept; lines on
 * their way from one thread to another before its monitors are closed; and what a monitor may leave unread at the
 * most, whatever the limit of its class is.
 */
export const MONITOR_BATCH_BYTES_MAX = 256 * KIB;
export const MONITOR_LINE_BYTES_MAX = 4 * MIB;
export const MONITOR_BUFFER_KEPT_BYTES_MAX = 1 * MIB;
export const MONITOR_AHEAD_BYTES_MAX = 16 * MIB;
export const MONITOR_UNREAD_BYTES_MAX = 64 * MIB;

/** What has happened to keys and has not been told yet, on one thread; and the memory for it that is kept. */
export const KEY_EVENTS_BYTES_MAX = 64 * MIB;
export const KEY_EVENTS_BYTES_KEPT_MAX = 1 * MIB;
export const TOLD_BYTES_KEPT_MAX = 64 * KIB;

/**
 * Messages between clients: what a name costs a subscriber besides its bytes, and all of one client's names together; names in
 * one message between threads; messages that are sent to another thread at once, in the middle of a turn; those on their way
 * to it from which on whoever publishes to it waits; and from which on its subscribers are closed.
 */
export const SUBSCRIPTION_OVERHEAD_BYTES = 128;
export const SUBSCRIPTION_BYTES_MAX = 64 * MIB;
export const BUS_NAMES_MAX = 4096;
export const PUBSUB_BATCH_BYTES_MAX = 256 * KIB;
export const PUBSUB_CALM_BYTES = 1 * MIB;
export const PUBSUB_AHEAD_BYTES_MAX = 32 * MIB;

/**
 * Client-side caching: buckets of the filter that says which workers track which keys; what one worker tracks at the most,
 * whatever `tracking-table-max-keys` says (pairs of a key and a client; bytes of keys), and how many keys it forgets at a
 * time; prefixes of all clients, of one, and the longest; keys for them that are told at once, in the middle of a turn; and
 * bytes of keys that go to another thread at once, and that may be on their way there before it hears that all keys are invalid.
 */
export const TRACKING_BUCKETS = 2 ** 20;
export const TRACKING_ITEMS_MAX = 16 * 1024 * 1024;
export const TRACKING_TABLE_BYTES_MAX = 256 * MIB;
export const TRACKING_TRIMMED_PER_SLICE = 1024;
export const TRACKING_PREFIXES_MAX = 16 * 1024;
export const TRACKING_PREFIXES_PER_CLIENT_MAX = 256;
export const TRACKING_PREFIX_BYTES_MAX = 256;
export const TRACKING_KEYS_DUE_MAX = 64 * 1024;
export const TRACKING_BATCH_BYTES_MAX = 256 * KIB;
export const TRACKING_AHEAD_BYTES_MAX = 16 * MIB;

/**
 * TLS: one file of it, and the files of a folder of authorities; handshakes that a worker has begun or put off (some
 * 240 KiB each), of which the oldest goes when another comes; how many it begins in one turn, since each takes it about a millisecond; how long one may
 * take; and how often it is looked for those that take longer.
 */
export const TLS_FILE_BYTES_MAX = 1 * MIB;
export const TLS_CA_FILES_MAX = 1024;
export const TLS_HANDSHAKES_MAX = 256;
export const TLS_HANDSHAKES_PER_TURN = 2;
export const TLS_HANDSHAKE_MS_MAX = 10_000;
export const TLS_HANDSHAKE_CHECK_MS = 1_000;

/** A worker's clockwork: how often it keeps its shard's house, for how long at a stretch, and looks at its connections. */
export const HOUSEKEEPING_MS = 5;
export const HOUSEKEEPING_BURST_MS = 1;
/** After so many ticks without work it ticks more rarely. Twice that is what an idle server may be late with an expiry. */
export const CLOCKWORK_QUIET_TICKS = 40;
export const CLOCKWORK_DOZE_MS = 50;
export const CONNECTION_CHECK_MS = 1_000;

/** How often a worker looks at what its clients keep, while `maxmemory-clients` says how much; and the least that counts for. */
export const CLIENT_MEMORY_CHECK_MS = 100;
export const MAXMEMORY_CLIENTS_BYTES_MIN = 128 * KIB;

/** The default of `maxmemory-clients` is a share of the machine's memory, but no less than this. */
export const CLIENTS_BYTES_DEFAULT_MIN = 64 * MIB;

/** A worker whose clients have got this much more to keep looks at once, so that fast ones are not far over the bound by then. */
export const CLIENT_MEMORY_CHECK_BYTES = 4 * MIB;

/** Threads: how long one waits for the reply of another, and how long all workers may take to start. */
export const BUS_REPLY_MS_MAX = 5_000;
export const WORKER_START_MS_MAX = 20_000;

/**
 * The job pool: jobs that wait for a thread before more are refused, how long whoever asked waits for one, and how long a
 * thread without work is kept.
 */
export const JOBS_WAITING_MAX = 64;
export const JOB_MS_MAX = 60_000;
export const JOB_THREAD_IDLE_MS = 30_000;

/**
 * A worker that died is replaced at once; from the fourth death on, each within the calm time of a start, after a
 * delay that doubles from its least to its most.
 */
export const RESTARTS_AT_ONCE_MAX = 3;
export const RESTART_CALM_MS = 10_000;
export const RESTART_DELAY_MS_MIN = 100;
export const RESTART_DELAY_MS_MAX = 5_000;

/** Stopping takes two seconds at the most: what has not ended by itself until then is ended. */
export const STOP_MS_MAX = 1_500;

/** Open files that are not for clients: the process's own, and what each thread needs (measured: 25, and 5 a thread). */
export const OPEN_FILES_RESERVED = 32;
export const OPEN_FILES_PER_THREAD = 8;

/** A trouble that can come with every connection (no file descriptors left) is logged once in this time. */
export const ACCEPT_TROUBLE_LOG_MS = 10_000;

/** The HTTP side: its connections, and how long one request may take to arrive. */
export const ADMIN_CONNECTIONS_MAX = 1024;
export const ADMIN_REQUEST_MS_MAX = 10_000;
/** Requests that may wait on one connection behind one that is not answered yet: 2 KiB of memory each. */
export const HTTP_WAITING_REQUESTS_MAX = 256;

/** How long main waits for a shard's lock, for the whole of which it does nothing else; and not at all for as long after it gave up. */
export const MAIN_LOCK_WAIT_MS = 50;
export const MAIN_LOCK_PAUSE_MS = 50;

/** How often a change over HTTP is tried again that found a journal full of what others have changed or had evicted. */
export const LOG_BEHIND_ROUNDS_MAX = 1_000;

/** How long a change over HTTP waits for the log, and until the next worker is asked where one has died. */
export const SETTLE_MS_MAX = 10_000;
export const SETTLE_RETRY_MS = 10;

/**
 * Requests over HTTP: their headers (a key's name is among them), the commands and bytes of a pipeline, what it may answer, how
 * long it runs before others get their turn, and keys that one page of a listing may visit.
 */
export const HTTP_HEADER_BYTES_MAX = 64 * KIB;
export const PIPELINE_COMMANDS_MAX = 10_000;
export const PIPELINE_BODY_BYTES_MAX = 16 * MIB;
export const PIPELINE_REPLY_BYTES_MAX = 64 * MIB;
export const PIPELINE_TURN_MS = 2;
export const HTTP_SCAN_COUNT_MAX = 10_000;

/** The live data of the dashboard: samples (one a second) that are kept, and commands that are told by name. */
export const HISTORY_SAMPLES_MAX = 900;
export const HISTORY_SAMPLE_MS = 1_000;
export const HISTORY_BUSY_COMMANDS = 8;

/** Pages that listen to it; a listener that has not taken what it was sent for so long is dropped. */
export const LIVE_LISTENERS_MAX = 64;
export const LIVE_BEHIND_MS_MAX = 10_000;
export const LIVE_RETRY_MS = 2_000;

/** Rows of a list (slow log, clients, hot keys) that one answer of the HTTP side has at the most, and when it is not told. */
export const ADMIN_ROWS_MAX = 1_000;
export const ADMIN_ROWS_DEFAULT = 128;

/**
 * Reports over all keys: entries and time of one hold of a lock, and what their job may use of one processor. The largest keys:
 * how many are told, and how much of each name.
 */
export const VISIT_SLICE_ENTRIES = 512;
export const VISIT_SLICE_MS = 0.1;
export const KEY_REPORT_CPU_SHARE = 0.25;
export const BIG_KEYS_MAX = 100;
export const BIG_KEY_BYTES_TOLD = 256;

/**
 * The slow log: the entries that a thread keeps at the most, whatever `slowlog-max-len` says; and what an entry shows of a
 * command, as redis-server. The latency monitor: the seconds with a spike that it remembers for each event.
 */
export const SLOW_LOG_ENTRIES_MAX = 128 * KIB;
export const SLOW_LOG_ARGUMENTS_MAX = 32;
export const SLOW_LOG_ARGUMENT_BYTES_MAX = 128;
export const LATENCY_SAMPLES_MAX = 160;

/** The ACL log: entries of a thread, whatever `acllog-max-len` says; and what is kept of a key, a channel or a name. */
export const ACL_LOG_ENTRIES_MAX = 4 * KIB;
export const ACL_LOG_TEXT_BYTES_MAX = 1 * KIB;

/**
 * Users, which every thread has, and whose rules take main's time as they are read: rules of one ACL SETUSER and their bytes; what
 * one user has of passwords, patterns, first arguments and selectors together; and users.
 */
export const ACL_RULES_MAX = 16 * KIB;
export const ACL_RULES_BYTES_MAX = 1 * MIB;
export const ACL_USER_ITEMS_MAX = 1 * KIB;
export const ACL_USERS_MAX = 16 * KIB;

/** What a client says of itself: its name, its library's name and version. Lists of clients and the ACL log repeat it. */
export const CLIENT_TEXT_BYTES_MAX = 1 * KIB;

/**
 * Reading logs: one read of a segment, the least of it, and what all streams together may have in memory; distinct keys that a
 * repair counts for its report; and bytes of a value that `inspect` shows.
 */
export const LOG_READ_BYTES = 1 * MIB;
export const LOG_READ_BYTES_MIN = 64 * KIB;
export const LOG_READ_TOTAL_BYTES = 32 * MIB;
export const REPAIR_KEYS_COUNTED_MAX = 1_000_000;
export const INSPECT_VALUE_BYTES_MAX = 64;
export const INSPECT_ELEMENTS_MAX = 16;

/**
 * Snapshots: entries (or groups of the index) and bytes that one slice copies under the lock, some 50 us; the bytes of a
 * section, header included; how often a walk begins anew because a database was flushed or swapped; and the entries whose
 * place in the index a load finds in one go (16 bytes each, for the time being).
 */
export const SNAPSHOT_SLICE_ENTRIES = 256;
export const SNAPSHOT_SLICE_BYTES = 256 * KIB;
export const SNAPSHOT_SECTION_BYTES = 1 * MIB;
export const SNAPSHOT_STARTS_MAX = 64;
export const LOAD_STAGED_ENTRIES_MAX = 2 * 1024 * 1024;

/** Long jobs that wait: one per shard, and then some. */
export const LONG_JOBS_WAITING_MAX = 2 * SHARDS_MAX;

/** Data of so few bytes are loaded on the main thread: starting a thread for them would take longer. */
export const LOAD_HERE_BYTES_MAX = 8 * MIB;

/** While data is loaded: how often it is looked how far that is, and how often it is said. Snapshots: how often it is looked whether one is due, and after a failure. */
export const LOAD_PROGRESS_MS = 50;
export const LOAD_REPORT_MS = 1_000;
export const SAVE_POINTS_CHECK_MS = 100;
export const SAVE_RETRY_MS = 5_000;

/**
 * The log: how often a worker looks after its stream, and main after all; the breaker in front of it: how long the disk is
 * left alone after a failure, at first and at most, and how many probes it gets at a time.
 */
export const LOG_TICK_MS = 100;
export const LOG_MONITOR_MS = 50;
/** How long a worker may take to put on the disk what is pending, before a snapshot counts. */
export const SEAL_MS_MAX = 60_000;
export const LOG_BREAKER_RESET_MS = 500;
export const LOG_BREAKER_RESET_MS_MAX = 10_000;
export const LOG_BREAKER_PROBES = 1;

/** A job that keeps to a share of a processor naps after so much work. */
export const PACED_BURST_MS = 2;

/**
 * Snapshots for clients: how long one that waits for a whole snapshot or a reload does so before it is told that none came, and
 * the most of one core, in percent, that `snapshot-cpu-share` may name.
 */
export const SNAPSHOT_REPLY_MS_MAX = 6 * 60 * 60 * 1000;
export const SNAPSHOT_CPU_PERCENT_MAX = 100;

/** A client that waits for a key, and whose turn it is while nothing may change, tries again after so long. */
export const BLOCKED_RETRY_MS = 50;

/** The longest that a timer of the runtime waits: 24 days. */
export const TIMER_MS_MAX = 2 ** 31 - 1;

/** The configuration itself. */
export const BIND_ADDRESSES_MAX = 16;
export const CONFIG_INCLUDE_DEPTH_MAX = 16;
export const CONFIG_FILE_BYTES_MAX = 4 * MIB;

/** Files: bytes of one read or write; the kernel takes no more than 2^31 less a page at once. */
export const TRANSFER_BYTES_MAX = 1 * GIB;

/** The manifest: some 100 bytes for each segment and each shard's snapshot that it lists. */
export const MANIFEST_BYTES_MAX = 16 * MIB;

/** The lock of a folder: its text, and a process's, and how often one that is left at once is tried again. */
export const DIRECTORY_LOCK_BYTES_MAX = 4 * KIB;
export const DIRECTORY_LOCK_ROUNDS_MAX = 100;

/**
 * The pending log records of a shard: before a command there are no more than the soft bound (else they are drained first);
 * beside the largest record there is a margin for what goes with it; and evictions leave part of the margin to others.
 */
export const JOURNAL_SOFT_BYTES = 1 * MIB;
export const JOURNAL_MARGIN_BYTES = 8 * MIB;
export const JOURNAL_EVICTION_BYTES_MAX = JOURNAL_MARGIN_BYTES / 2;

/**
 * Writing the log. A worker's block: memory for it at start, the largest that is kept, and what one block may hold (its
 * length is a 32-bit number). A segment: when a next one is asked for, and when it is begun. Syncs under everysec: looked
 * after every 100 ms, they begin a second apart; one that takes this long counts as delayed.
 */
export const LOG_BLOCK_BYTES_START = 1 * MIB;
export const LOG_BLOCK_BYTES_KEPT_MAX = 4 * MIB;
export const LOG_BLOCK_BYTES_MAX = 4 * GIB - 1 * MIB;
export const LOG_SEGMENT_BYTES_MAX = 256 * MIB;
export const LOG_SEGMENT_PREPARE_BYTES = 192 * MIB;
export const LOG_SYNC_MS = 900;
export const LOG_SYNC_DELAYED_MS = 2_000;

/**
 * Sampling of accesses for the miss-ratio curve: keys that are tracked; sampled accesses a second over all threads, so many
 * and a share of the commands on top (each takes some 0.7 us of processor time, most of it main's); those that wait for
 * main on one thread, and how often main takes them; when a read counts half; and the curve: the largest size as
 * a multiple of maxmemory, and its points.
 */
export const MISS_RATIO_KEYS_MAX = 16 * 1024;
export const MISS_RATIO_ACCESSES_PER_SECOND = 4000;
export const MISS_RATIO_COMMANDS_SHARE = 0.005;
export const ACCESS_RING_EVENTS = 4096;
export const ACCESS_TICK_MS = 100;
export const MISS_RATIO_HALF_LIFE_MS = 5 * 60_000;
export const MISS_RATIO_REACH = 4;
export const MISS_RATIO_POINTS_MAX = 64;

/**
 * Hot keys: counters of a thread, accesses that it samples in a second, accesses that one sample stands for at most, how many
 * bytes of a key are kept, how many keys are told at most, and when an access counts half.
 */
export const HOT_KEY_COUNTERS = 256;
export const HOT_KEY_SAMPLES_PER_SECOND_MAX = 3000;
export const HOT_KEY_STRIDE_MAX = 1024;
export const HOT_KEY_BYTES_MAX = 256;
export const HOT_KEYS_TOLD_MAX = 128;
export const HOT_KEY_HALF_LIFE_MS = 15_000;

assert(SNAPSHOT_SLICE_BYTES < SNAPSHOT_SECTION_BYTES, 'a section takes several slices');
assert(ARENA_BYTES_MAX / ARENA_CELL_BYTES <= 2 ** 31, 'every cell of an arena has a number below 2^31');
assert(SHARD_MEMORY_BYTES_MIN < ARENA_BYTES_MAX, 'the least shard fits in an arena');
assert(QUERY_BUFFER_START_BYTES <= READ_BUFFER_BYTES, 'a query buffer starts no larger than one read');
assert(REQUEST_LINE_BYTES_MAX <= QUERY_BUFFER_BYTES_MAX, 'a line of a request fits in a query buffer');
assert(
  UNAUTHENTICATED_BULK_BYTES_MAX < BULK_BYTES_MIN,
  'a client without a password sends less than any other',
);
assert(
  MONITOR_BATCH_BYTES_MAX + MONITOR_LINE_BYTES_MAX < MONITOR_AHEAD_BYTES_MAX &&
    MONITOR_LINE_BYTES_MAX < MONITOR_UNREAD_BYTES_MAX,
  'the longest line is within the bounds of a monitor',
);
assert(RESTART_DELAY_MS_MIN < RESTART_DELAY_MS_MAX, 'the delay of a restart can double');
assert(RESTART_DELAY_MS_MAX < RESTART_CALM_MS, 'a crash loop is never mistaken for calm');
assert(STOP_MS_MAX < 2_000, 'a stop leaves time to exit within two seconds');
assert(SHARDS_MAX <= 2 ** 14, 'every shard can own a slot');
assert(TRANSFER_BYTES_MAX < 2 ** 31 - 4 * KIB, 'the kernel takes one transfer at once');
assert(LOG_READ_BYTES_MIN <= LOG_READ_BYTES, 'the least read of a log is no more than the usual one');
assert(
  JOURNAL_SOFT_BYTES < JOURNAL_EVICTION_BYTES_MAX && JOURNAL_EVICTION_BYTES_MAX < JOURNAL_MARGIN_BYTES,
  'a command may evict before its journal is drained, and its own records find room behind',
);
assert(
  TRANSACTION_LOG_BYTES_MAX <= LOG_BLOCK_BYTES_MAX / 2,
  'the records of a transaction fit into one block',
);
assert(TRANSACTION_BYTES_MAX <= QUERY_BUFFER_BYTES_MAX, 'what is queued is part of what is unexecuted');
assert(LOG_BLOCK_BYTES_START <= LOG_BLOCK_BYTES_KEPT_MAX, 'the block memory of the start is kept');
assert(LOG_BLOCK_BYTES_MAX < 2 ** 32, 'the length of a block is a 32-bit number');
assert(LOG_SEGMENT_PREPARE_BYTES < LOG_SEGMENT_BYTES_MAX, 'a next segment is asked for before it is needed');
assert(SNAPSHOT_REPLY_MS_MAX < TIMER_MS_MAX, 'the wait for a snapshot fits in a timer');

/**
 * How much bytecode the compiler joins to a function from those that it calls (V8's own: 460 of one, 920 in all). The way of a
 * command is cut into small functions, and with V8's bounds the last of them are called for each command.
 */
export const INLINED_BYTECODE_BYTES_MAX = 1000;
export const INLINED_BYTECODE_BYTES_TOGETHER_MAX = 2500;
