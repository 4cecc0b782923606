/**
 * What docs/commands.md says of commands beyond their tables: where this server differs from redis-server 7.0.15, or
 * does the same in a way that an operator should know. Data only; by full command name (`config|set` for subcommands).
 */

const FLUSHED =
  'All shards at one moment. SYNC and ASYNC are the same: the keys are gone at once, their memory is freed in slices. ' +
  'On a node of a cluster that has replicas of others, its own keys go in slices, between which others are served: it is not atomic then, but within MULTI; what is written meanwhile stays.';

const SLICED =
  'Of more than 1,024 keys it runs in slices of 512, between which others are served: it is not atomic then, but within MULTI.';

export const COMMAND_NOTES: Readonly<Record<string, string>> = {
  append: 'The value gets room to grow: as much again as it is long, at most 1 MiB.',
  'acl|cat': 'Also of the commands that redis-server has and this server does not: rules may name them.',
  'acl|getuser':
    'The categories that fit best, as redis-server finds them; single commands in the order of their names.',
  'acl|load': 'Without a line for `default`, it keeps the password of `requirepass`.',
  'acl|log': 'Of all workers and of HTTP. Keeps the first 1,024 bytes of a key, a channel or a name.',
  'acl|save': 'Written aside, synced, renamed; a new file is readable by its owner only.',
  'acl|setuser': 'The OK means that every thread has applied it (docs/security.md).',
  asking:
    'For the next command, or for the whole transaction if that is MULTI. A slot that has not come yet is waited for, for a second at most; then TRYAGAIN.',
  auth: 'The password of the user `default` is that of `requirepass`.',
  bgrewriteaof:
    'Takes a snapshot in the background and removes the log before it: the same as BGSAVE, counted apart in INFO. Nothing is forked.',
  bgsave:
    'Takes a snapshot in the background, shard by shard in short slices, on at most `snapshot-cpu-share` of a core. Nothing is forked.',
  'cache.hotkeys':
    'Of this server alone. From a sample of the uses of all threads that fades within a minute: reads and writes per second, the ' +
    'share of all uses, and how much more that may be. Keys that stand out from the others only; long ones are cut.',
  'cache.mrc':
    'Of this server alone. What the last minutes predict for an LRU cache of half, the same and double the memory, and of up to ' +
    '64 sizes up to four times as much, in bytes as `maxmemory` counts them. Only reads count as hits and misses. Keys of one hash ' +
    'tag are sampled together: with only a handful of tags the numbers mean little. Under another policy it still tells of LRU.',
  'client|info':
    "Has 7.2's `lib-name` and `lib-ver`. Fields that mean nothing here (`argv-mem`, `obl`, ...) are 0.",
  'client|kill': 'Reaches the clients of all workers.',
  'client|list':
    'As CLIENT INFO, over the clients of all workers. Ids are unique, but not in order of arrival.',
  'client|no-evict': 'Spares the client where `maxmemory-clients` is passed, which is bounded by default.',
  'client|no-touch': 'From Redis 7.2.',
  'client|setinfo': 'From Redis 7.2; client libraries send it when they connect.',
  'cluster|failover':
    'To any node: the owners of the slots that it has whole replicas of hand them over to it, and nothing is lost. FORCE and TAKEOVER are the same.',
  'cluster|forget': 'Of a node that is gone: the slots that only it had are given to others, empty.',
  'cluster|keyslot':
    'Answers also on a server that is alone, where slots choose the shard; the other subcommands answer there that cluster support is disabled.',
  'cluster|getkeysinslot':
    'Keys that this node has in the slot, whoever owns it. There are no lists by slot: it walks the keys of a shard in slices until it has enough.',
  'cluster|leave':
    'Of this server alone. Gives all slots of this node to others; CLUSTER INFO and `distcache cluster status` show how far that is.',
  'cluster|links':
    'Empty: the nodes have no bus of their own; what they say to one another goes through the ports of clients.',
  'cluster|nodes':
    'Every node is a `master`, for it owns slots and has replicas of others at the same time. Its epoch is that of the topology; the port behind the `@` is none.',
  'cluster|peer':
    'Of this server alone, between nodes: what comes by this connection is not passed on again.',
  'cluster|shards':
    'A shard is all slots with the same owner and the same replicas, so that a node is in several.',
  'cluster|slots':
    'Slots lie scattered over the nodes, so there are thousands of ranges; behind the owner of each, the nodes with replicas of just these slots.',
  command: 'In alphabetical order.',
  'config|get': 'Names that are stored without effect (docs/configuration.md) are answered too.',
  'config|resetstat': 'Also zeroes the maxima of lock holds and of the lag of expiry.',
  'config|set':
    'The OK means that every thread has applied it. A lower `maxmemory` is reached in slices afterwards.',
  copy: 'The value is copied: O(bytes).',
  dbsize: 'All shards at one moment.',
  debug:
    'Needs `enable-debug-command`. HELP, JMAP, LOADAOF, LOG, OBJECT, RELOAD without NOFLUSH, SET-ACTIVE-EXPIRE and SLEEP, which ' +
    'delays its own client only; ' +
    'and THROW, WORKER-EXIT, WORKER-THROW, WORKER-DIE-HOLDING-LOCK, which break something to show that it mends.',
  del: SLICED,
  discard: 'Also ends all watches.',
  exec:
    'One moment for all workers: the shards of all keys, and of all watched ones, are locked. Replies that come later (CONFIG SET, CLIENT LIST, LCS, ...) are waited for behind ' +
    'the locks; what about the server stands behind such a command is executed when its reply is there, and so are DEBUG and WAITAOF. In the log the changes ' +
    'are whole or absent; what would not fit there at once is refused (`EXECABORT`) before the first command. With CLIENT REPLY OFF within it nothing of its reply is sent.',
  exists: SLICED,
  flushall: FLUSHED,
  flushdb: FLUSHED,
  'function|flush': 'Answers OK: there are no functions.',
  hello: 'Says `redis` and 7.0.15, by which clients decide what to send.',
  info:
    'No `latencystats`; `errorstats` is empty; `commandstats` has `calls` only; fields without a number here are left out. ' +
    '`used_memory` is the blocks of entries and index, which is what counts against `maxmemory`.',
  keys: 'Walks in slices of some hundred keys, so others are served meanwhile: what is there throughout is answered, what comes or goes may be.',
  lastsave: 'The time of the start before there was a snapshot.',
  'latency|doctor': 'The report of redis-server, with advice for this server.',
  'latency|latest':
    'Spikes of all threads together: `command`, `fast-command`, `expire-cycle` (all housekeeping), `eviction-cycle`, `aof-write` ' +
    'and its kinds, `aof-fsync-always`. Nothing is forked, so there is no `fork`.',
  lcs: 'A large table is filled after the turn from copies of the values, without a lock.',
  'memory|doctor':
    'Looks at the peak, the holes in the arenas, the process, evictions of what was in use, and the buffers of clients.',
  'memory|stats': '`startup.allocated` is 0.',
  'memory|usage': "The entry's block and 8 bytes of the index: fewer than in redis-server.",
  monitor:
    'Tells the commands of all workers and of HTTP: those of one thread in order, those of several as they arrive, each turn at once. ' +
    'A monitor that does not read is closed at its limit, at 64 MiB at the latest; a line is cut at 4 MiB. Secrets are hidden also where ' +
    'the command around them is malformed.',
  multi:
    'What is queued counts against `client-query-buffer-limit`. Where memory is full and may not be evicted, a command that adds is refused when it is queued, one that reads is not.',
  'object|encoding':
    'The encoding that redis-server would have chosen. Here a string is bytes, whatever is in it.',
  'object|freq': 'Under `allkeys-s3fifo` the error that redis-server has under every policy but lfu.',
  'object|idletime': 'In steps of four seconds under `allkeys-s3fifo`.',
  readonly:
    'Reads slots of which this node has a whole replica. A library that takes a node either for a master or for a replica (ioredis with `scaleReads`) needs `cluster-routing forward`.',
  rename: 'The value is copied: O(bytes).',
  renamenx: 'The value is copied: O(bytes).',
  replicaof: 'Only `NO ONE`, which changes nothing: replicas are part of a cluster.',
  role: 'Always `master`; the nodes that have replicas of its slots, each with the changes that it has got, of all shards.',
  scan:
    'COUNT is rounded up to whole groups of about 24 keys. A cursor names a shard and a place in it: it is good for the ' +
    'life of the process. The guarantees are those of redis-server.',
  save: 'Other clients are served meanwhile; the answer comes when the snapshot is whole.',
  select: '`databases` is at most 64.',
  shutdown:
    'NOW changes nothing: there are no replicas to wait for. A stop that has begun is not called off, so ABORT always answers ' +
    'that none is in progress.',
  slaveof: 'As REPLICAOF.',
  'slowlog|get':
    'Of all threads, the newest first. A command that is answered later (KEYS over many keys, DEBUG SLEEP) counts until its reply. ' +
    'Of fast commands in a pipeline that were timed together the last one is shown, with their mean and a mark that says so.',
  swapdb: 'All shards at one moment.',
  time: 'The clock ticks in milliseconds: the microseconds end in 000.',
  touch: SLICED,
  unlink: `As DEL, which frees a value in O(1) too. ${SLICED}`,
  waitaof:
    'From Redis 7.2. There are no replicas: the second number is 0, and asking for more than that waits for the timeout.',
  watch:
    'By the number of the last change of the key. An absent key may also count as touched where another one came or went (1 in 4096 of them). The keys of one client take at most 64 MiB.',
};
