/**
 * The names of all commands that redis-server 7.0.15 has, with the ACL categories that they are in.
 *
 * Data, never changed; any thread. Users' rules may name any of them, so that the ACL files of others load here, and the rules
 * that ACL LIST finds for a user are those that redis-server finds. As ACL CAT tells them.
 */

/** Names with the same categories, with a blank between two; a subcommand is `container|sub`. */
type NamedCommands = { readonly categories: string; readonly names: string };

export const REDIS_COMMANDS: readonly NamedCommands[] = [
  { categories: 'admin fast dangerous', names: 'lastsave role' },
  {
    categories: 'admin slow dangerous',
    names:
      'acl|deluser acl|dryrun acl|getuser acl|list acl|load acl|log acl|save acl|setuser acl|users ' +
      'bgrewriteaof bgsave cluster|addslots cluster|addslotsrange cluster|bumpepoch ' +
      'cluster|count-failure-reports cluster|delslots cluster|delslotsrange cluster|failover ' +
      'cluster|flushslots cluster|forget cluster|meet cluster|replicas cluster|replicate cluster|reset ' +
      'cluster|saveconfig cluster|set-config-epoch cluster|setslot cluster|slaves config|get ' +
      'config|resetstat config|rewrite config|set debug failover latency|doctor latency|graph ' +
      'latency|histogram latency|history latency|latest latency|reset module|list module|load ' +
      'module|loadex module|unload monitor psync replconf replicaof save shutdown slaveof slowlog|get ' +
      'slowlog|len slowlog|reset sync',
  },
  {
    categories: 'admin slow dangerous connection',
    names: 'client|kill client|list client|no-evict client|pause client|unblock client|unpause',
  },
  { categories: 'fast', names: 'time' },
  {
    categories: 'fast connection',
    names: 'asking auth echo hello ping quit readonly readwrite reset select',
  },
  { categories: 'fast transaction', names: 'discard multi unwatch watch' },
  { categories: 'hyperloglog admin slow dangerous', names: 'pfselftest' },
  { categories: 'keyspace read fast', names: 'dbsize exists expiretime pexpiretime pttl touch ttl type' },
  {
    categories: 'keyspace read slow',
    names: 'dump object|encoding object|freq object|idletime object|refcount randomkey scan',
  },
  { categories: 'keyspace read slow dangerous', names: 'keys' },
  { categories: 'keyspace slow', names: 'object|help' },
  {
    categories: 'keyspace write fast',
    names: 'expire expireat move persist pexpire pexpireat renamenx unlink',
  },
  { categories: 'keyspace write fast dangerous', names: 'swapdb' },
  { categories: 'keyspace write slow', names: 'copy del rename' },
  { categories: 'keyspace write slow dangerous', names: 'flushall flushdb migrate restore restore-asking' },
  { categories: 'pubsub fast', names: 'publish spublish' },
  {
    categories: 'pubsub slow',
    names:
      'psubscribe pubsub|channels pubsub|numpat pubsub|numsub pubsub|shardchannels pubsub|shardnumsub ' +
      'punsubscribe ssubscribe subscribe sunsubscribe unsubscribe',
  },
  { categories: 'read bitmap fast', names: 'bitfield_ro getbit' },
  { categories: 'read bitmap slow', names: 'bitcount bitpos' },
  { categories: 'read fast', names: 'lolwut' },
  {
    categories: 'read geo slow',
    names: 'geodist geohash geopos georadius_ro georadiusbymember_ro geosearch',
  },
  { categories: 'read hash fast', names: 'hexists hget hlen hmget hstrlen' },
  { categories: 'read hash slow', names: 'hgetall hkeys hrandfield hscan hvals' },
  { categories: 'read hyperloglog slow', names: 'pfcount' },
  { categories: 'read list fast', names: 'llen' },
  { categories: 'read list slow', names: 'lindex lpos lrange' },
  { categories: 'read set fast', names: 'scard sismember smismember' },
  { categories: 'read set slow', names: 'sdiff sinter sintercard smembers srandmember sscan sunion' },
  { categories: 'read set sortedset list slow dangerous', names: 'sort_ro' },
  { categories: 'read slow', names: 'memory|usage' },
  { categories: 'read sortedset fast', names: 'zcard zcount zlexcount zmscore zrank zrevrank zscore' },
  {
    categories: 'read sortedset slow',
    names:
      'zdiff zinter zintercard zrandmember zrange zrangebylex zrangebyscore zrevrange zrevrangebylex ' +
      'zrevrangebyscore zscan zunion',
  },
  { categories: 'read stream fast', names: 'xlen' },
  {
    categories: 'read stream slow',
    names: 'xinfo|consumers xinfo|groups xinfo|stream xpending xrange xrevrange',
  },
  { categories: 'read stream slow blocking', names: 'xread' },
  { categories: 'read string fast', names: 'get mget strlen' },
  { categories: 'read string slow', names: 'getrange lcs substr' },
  {
    categories: 'slow',
    names:
      'acl acl|cat acl|genpass acl|help acl|whoami client cluster cluster|countkeysinslot ' +
      'cluster|getkeysinslot cluster|help cluster|info cluster|keyslot cluster|links cluster|myid ' +
      'cluster|nodes cluster|shards cluster|slots config config|help function latency latency|help ' +
      'memory memory|doctor memory|help memory|malloc-stats memory|purge memory|stats module ' +
      'module|help object pubsub pubsub|help script slowlog slowlog|help xgroup xinfo',
  },
  {
    categories: 'slow connection',
    names:
      'client|caching client|getname client|getredir client|help client|id client|info client|reply ' +
      'client|setname client|tracking client|trackinginfo command command|count command|docs ' +
      'command|getkeys command|getkeysandflags command|help command|info command|list wait',
  },
  { categories: 'slow dangerous', names: 'info' },
  {
    categories: 'slow scripting',
    names:
      'eval eval_ro evalsha evalsha_ro fcall fcall_ro function|dump function|help function|kill ' +
      'function|list function|stats script|debug script|exists script|flush script|help script|kill ' +
      'script|load',
  },
  { categories: 'slow transaction', names: 'exec' },
  { categories: 'stream slow', names: 'xgroup|help xinfo|help' },
  { categories: 'write bitmap slow', names: 'bitfield bitop setbit' },
  { categories: 'write geo slow', names: 'geoadd georadius georadiusbymember geosearchstore' },
  { categories: 'write hash fast', names: 'hdel hincrby hincrbyfloat hmset hset hsetnx' },
  { categories: 'write hyperloglog admin slow dangerous', names: 'pfdebug' },
  { categories: 'write hyperloglog fast', names: 'pfadd' },
  { categories: 'write hyperloglog slow', names: 'pfmerge' },
  { categories: 'write list fast', names: 'lpop lpush lpushx rpop rpush rpushx' },
  { categories: 'write list slow', names: 'linsert lmove lmpop lrem lset ltrim rpoplpush' },
  { categories: 'write list slow blocking', names: 'blmove blmpop blpop brpop brpoplpush' },
  { categories: 'write set fast', names: 'sadd smove spop srem' },
  { categories: 'write set slow', names: 'sdiffstore sinterstore sunionstore' },
  { categories: 'write set sortedset list slow dangerous', names: 'sort' },
  {
    categories: 'write slow scripting',
    names: 'function|delete function|flush function|load function|restore',
  },
  { categories: 'write sortedset fast', names: 'zadd zincrby zpopmax zpopmin zrem' },
  { categories: 'write sortedset fast blocking', names: 'bzpopmax bzpopmin' },
  {
    categories: 'write sortedset slow',
    names:
      'zdiffstore zinterstore zmpop zrangestore zremrangebylex zremrangebyrank zremrangebyscore ' +
      'zunionstore',
  },
  { categories: 'write sortedset slow blocking', names: 'bzmpop' },
  { categories: 'write stream fast', names: 'xack xadd xautoclaim xclaim xdel xsetid' },
  {
    categories: 'write stream slow',
    names: 'xgroup|create xgroup|createconsumer xgroup|delconsumer xgroup|destroy xgroup|setid xtrim',
  },
  { categories: 'write stream slow blocking', names: 'xreadgroup' },
  {
    categories: 'write string fast',
    names: 'append decr decrby getdel getex getset incr incrby incrbyfloat setnx',
  },
  { categories: 'write string slow', names: 'mset msetnx psetex set setex setrange' },
];
