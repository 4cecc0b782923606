/** The commands of differential programs, all types, as a grammar. */
import { createGrammar } from './grammar.ts';
import { words } from './words.ts';

const STRINGS = `
6 SET key value [ NX | XX ] [ GET ] [ EX seconds | PX millis | EXAT at | PXAT atms | KEEPTTL ]
3 GET key
2 (SETNX | GETSET | APPEND) key value
1 SETEX key seconds value
1 PSETEX key millis value
1 MSET (key value)+
1 MSETNX (key value)+
2 MGET key+
1 (GETDEL | STRLEN) key
1 GETEX key [ EX seconds | PXAT atms | PERSIST ]
2 (INCR | DECR) key
2 (INCRBY | DECRBY) key delta
1 INCRBYFLOAT key float
1 (GETRANGE | SUBSTR) key rank rank
2 SETRANGE key offset value`;

const BITS = `
4 SETBIT key bitoffset bit
2 GETBIT key bitoffset
3 BITCOUNT key [ int int [ BYTE | BIT ] ]
2 BITPOS key bit [ int [ int [ BYTE | BIT ] ] ]
2 BITOP (AND | OR | XOR) key key+
1 BITOP NOT key key
3 BITFIELD key (GET field_type field_place | [ OVERFLOW (WRAP | SAT | FAIL) ] (SET | INCRBY) field_type field_place delta)+
1 BITFIELD_RO key GET field_type field_place
4 PFADD key elem*
3 PFCOUNT key+
2 PFMERGE key key+`;

const KEYS = `
4 DEL key+
1 UNLINK key+
3 TYPE key
6 OBJECT ENCODING key
1 (EXISTS | TOUCH) key+
3 EXPIRE key seconds [ NX | XX | GT | LT ]
2 PEXPIRE key millis [ NX | XX | GT | LT ]
2 EXPIREAT key any_at [ NX | XX | GT | LT ]
2 PEXPIREAT key any_atms [ NX | XX | GT | LT ]
3 PERSIST key
1 (TTL | PTTL | EXPIRETIME | PEXPIRETIME) key
5 RENAME key key
3 RENAMENX key key
6 COPY key key [ DB (0 | 1 | 99) ] [ REPLACE ]
2 MOVE key (0 | 1)
1 SELECT (0 | 1 | 99)
1 SWAPDB 0 1
1 KEYS pattern
1 DBSIZE
1 RANDOMKEY
1 SCAN 0 COUNT 100000000 [ MATCH pattern ] [ TYPE type ]
3 SORT key [ LIMIT int int ] [ ASC | DESC ] [ ALPHA ] [ STORE key ]
2 SORT_RO key [ BY weight_pattern ] [ LIMIT int int ] [ GET got_pattern ] [ ASC | DESC ] [ ALPHA ]`;

const HASHES = `
12 HSET key (field value)*
3 HSET key (field value)+
1 HMSET key (field value)+
2 HSETNX key field value
4 HGET key field
3 HMGET key field+
3 HDEL key field+
3 HDEL key field*
1 (HEXISTS | HSTRLEN) key field
2 HLEN key
2 HGETALL key
1 (HKEYS | HVALS) key
4 HINCRBY key field delta
2 HINCRBYFLOAT key field float
2 HRANDFIELD key [ signed [ WITHVALUES ] ]
2 HSCAN key 0 COUNT 100000000 [ MATCH pattern ]`;

const LISTS = `
10 (LPUSH | RPUSH) key elem*
3 (LPUSH | RPUSH | LPUSHX | RPUSHX) key elem+
5 (LPOP | RPOP) key [ count ]
2 LLEN key
3 LRANGE key rank rank
5 LINDEX key rank
6 LSET key rank elem
5 LINSERT key (BEFORE | AFTER) elem elem
4 LREM key int elem
3 LTRIM key rank rank
3 LPOS key elem [ RANK signed ] [ COUNT count ] [ MAXLEN count ]
4 LMOVE key key (LEFT | RIGHT) (LEFT | RIGHT)
2 RPOPLPUSH key key
2 LMPOP counted (LEFT | RIGHT) [ COUNT count ]
1 (BLPOP | BRPOP) key+ 0.001
1 BLMOVE key key (LEFT | RIGHT) (LEFT | RIGHT) 0.001
1 BRPOPLPUSH key key 0.001
1 BLMPOP 0.001 counted (LEFT | RIGHT) [ COUNT count ]`;

const SETS = `
12 SADD key member*
3 SADD key member+
3 SREM key member+
3 SREM key member*
2 SCARD key
3 SISMEMBER key member
2 SMISMEMBER key member+
2 SMEMBERS key
5 SPOP key [ count ]
2 SRANDMEMBER key [ signed ]
4 SMOVE key key member
2 SSCAN key 0 COUNT 100000000 [ MATCH pattern ]
2 (SINTER | SUNION | SDIFF) key+
4 (SINTERSTORE | SUNIONSTORE | SDIFFSTORE) key key+
2 SINTERCARD counted [ LIMIT count ]`;

const SORTED_SETS = `
12 ZADD key (score elem)*
5 ZADD key [ NX | XX ] [ GT | LT ] [ CH ] (score elem)+
2 ZADD key [ NX | XX ] [ GT | LT ] INCR score elem
2 ZINCRBY key score elem
3 ZREM key elem+
3 ZREM key elem*
2 ZSCORE key elem
2 ZMSCORE key elem+
2 ZCARD key
4 (ZRANK | ZREVRANK) key elem
3 ZCOUNT key bound bound
4 ZRANGE key rank rank [ REV ] [ WITHSCORES ]
3 ZRANGE key bound bound BYSCORE [ REV ] [ LIMIT int int ] [ WITHSCORES ]
1 ZREVRANGE key rank rank [ WITHSCORES ]
1 (ZRANGEBYSCORE | ZREVRANGEBYSCORE) key bound bound [ WITHSCORES ] [ LIMIT int int ]
2 ZRANGESTORE key key rank rank [ REV ]
2 ZRANGESTORE key key bound bound BYSCORE [ REV ] [ LIMIT int int ]
3 (ZPOPMIN | ZPOPMAX) key [ count ]
2 ZMPOP counted (MIN | MAX) [ COUNT count ]
2 ZREMRANGEBYRANK key rank rank
2 ZREMRANGEBYSCORE key bound bound
1 ZRANDMEMBER key [ signed [ WITHSCORES ] ]
2 ZSCAN key 0 COUNT 100000000 [ MATCH pattern ]
2 (ZUNION | ZINTER) counted [ AGGREGATE (SUM | MIN | MAX) ] [ WITHSCORES ]
1 ZDIFF counted [ WITHSCORES ]
2 ZINTERCARD counted [ LIMIT count ]
1 (BZPOPMIN | BZPOPMAX) key+ 0.001
1 BZMPOP 0.001 counted (MIN | MAX) [ COUNT count ]`;

/** Other scores come of these. */
const SCORES = `
2 ZDIFFSTORE key counted
3 (ZUNIONSTORE | ZINTERSTORE) key counted [ AGGREGATE (SUM | MIN | MAX) ]
2 (ZUNIONSTORE | ZINTERSTORE) key 2 key key WEIGHTS score score`;

/** What these answer is not defined where the scores are not all the same. */
const LEXICAL = `
2 ZLEXCOUNT key lexbound lexbound
2 ZRANGE key lexbound lexbound BYLEX [ REV ] [ LIMIT int int ]
1 (ZRANGEBYLEX | ZREVRANGEBYLEX) key lexbound lexbound [ LIMIT int int ]
1 ZREMRANGEBYLEX key lexbound lexbound`;

const COMMON = [STRINGS, BITS, KEYS, HASHES, LISTS, SETS];

/** By family, so that a program can have more of one; with scores of all kinds, and with one score for all members. */
export const SCORED = [...COMMON, SORTED_SETS + SCORES].map((text) => createGrammar(text, words));
export const UNSCORED = [...COMMON, SORTED_SETS + LEXICAL].map((text) => createGrammar(text, words));
