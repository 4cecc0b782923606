/**
 * Where everything of a shard lies: the drawings of its control block and of one entry, and the names of every offset.
 *
 * Owns no state; runs on every thread. A shard's memory is its control block, drawn here, the arena of its entries, the
 * arena of its index, and its journal (journal.ts). Words are 32 bits, cells 8 bytes, numbers float64.
 */
import { assert } from '../base/assert.ts';
import { DATABASES_MAX } from '../config/limits.ts';

assert(
  new Uint8Array(Uint32Array.of(1).buffer)[0] === 1,
  'shard memory is laid out for little-endian machines',
);

/** No entry, no group, no block. Cell 0 of every arena is reserved, so no reference is ever 0. */
export const NONE = 0;

/**
 * One entry, in 32-bit words, from the start of its block:
 *
 *     0        1        2        3        4           5           6         7        8         9
 *  ┌────────┬────────┬────────┬────────┬────────┬────┬────┬─────┬────┬────────┬─────────┬──────┬──
 *  │ BLOCK  │ NEWER  │ OLDER  │  LSN   │EXPIRES │LSN │EXP │CLOCK│ DB │ WHEEL  │ WHEEL   │SHAPE │ key, value
 *  │        │        │        │  low   │  low   │high│high│ 24  │1+7 │ NEXT   │PREVIOUS │ 16   │
 *  └────────┴────────┴────────┴────────┴────────┴────┴────┴─────┴────┴────────┴─────────┴──────┴──
 *
 * DB: the table that names the entry has 7 bits; the eighth marks an entry of the small queue (fifo.ts).
 *
 * SHAPE: key length 8 bits | slack 4 | type 3 | wide 1. In a narrow entry the key begins in the upper half of word 9 and
 * the value ends `slack` bytes before the end of the block. In a wide one (a long key, or a value that was changed in
 * place and has room to grow) the upper half of word 9 holds the raw flag, words 10 and 11 the lengths of key and
 * value, and the key begins behind them.
 */
export const NEWER = 1;
export const OLDER = 2;
export const LSN_LOW = 3;
export const EXPIRES_LOW = 4;
export const HIGHS = 5;
export const CLOCK_AND_TABLE = 6;
export const WHEEL_NEXT = 7;
export const WHEEL_PREVIOUS = 8;
export const SHAPE = 9;
export const WIDE_KEY_LENGTH = 10;
export const WIDE_VALUE_LENGTH = 11;

export const TABLE_MASK = 0x7f;
export const SMALL_MARK = 0x80;

export const NARROW_KEY_AT = 38;
export const WIDE_KEY_AT = 48;
export const NARROW_KEY_BYTES_MAX = 255;
export const SLACK_BYTES_MAX = 15;

export const SHAPE_SLACK_SHIFT = 8;
export const SHAPE_TYPE_SHIFT = 12;
export const SHAPE_TYPE_MASK = 0b111;
export const SHAPE_WIDE = 1 << 15;
/** The upper half of a narrow entry's SHAPE, in which its key begins. */
export const SHAPE_KEY_HALF = ~0xffff;
export const SHAPE_RAW = 1 << 16;

/** Types of entries. 0 marks a block that is not (yet) an entry. */
export const TYPE_STRING = 1;
export const TYPE_LIST = 2;
export const TYPE_SET = 3;
export const TYPE_ZSET = 4;
export const TYPE_HASH = 5;

/** The types from lists to hashes. */
export const COLLECTION_TYPES = TYPE_HASH - TYPE_LIST + 1;

/** Marks a block that is no entry but a page of a collection (collections/page.ts). */
export const TYPE_PAGE = 7;

/** Deadlines and LSNs have 48 bits: a deadline past the year 10889 is kept as that year. */
export const EXPIRES_AT_MS_MAX = 2 ** 48 - 1;

export const CELL_BYTES = 8;
export const WORDS_PER_CELL = 2;

assert(NARROW_KEY_AT === SHAPE * 4 + 2, 'a narrow key begins in the upper half of the SHAPE word');
assert(WIDE_KEY_AT === (WIDE_VALUE_LENGTH + 1) * 4, 'a wide key begins behind the lengths');

/** The heads of the three recency lists are pseudo-entries at the start of the arena. */
export const HEAD_ALL = 0;
export const HEAD_VOLATILE = 2;
export const HEAD_SMALL = 4;
export const HEAD_CELLS = 8;

/**
 * The control block, in words:
 *
 *   0        LOCK, alone on its cache line
 *   16 ..    settings, cursors, counts
 *   64 ..    the logical databases' tables
 *   192 ..   wheel heads: 4 levels of 512
 *   2240 ..  the tables: TABLE_WORDS each, then all roots
 */
export const LOCK = 0;
export const POLICY = 16;
export const KEYS_MAX = 17;
export const DATABASES = 18;
export const TABLES = 19;
export const ROOT_WORDS = 20;
export const KEYS_LIVE = 21;
export const KEYS_DOOMED = 22;
export const PROTECTED = 23;
export const PROTECTED_SOURCE = 28;
export const LFU_LOG_FACTOR = 24;
export const LFU_DECAY_MINUTES = 25;
export const HASH_KEY_0 = 26;
export const HASH_KEY_1 = 27;
export const MIGRATION_CURSOR = 29;
export const COMPACTION_HAND = 35;
export const RANDOM_STATE = 30;
export const HOLD_SAMPLING = 31;
export const REPAIRS = 32;
/** Entries in the wheel: those that expire, and hashes of which fields do. */
export const SCHEDULED_LIVE = 33;
export const WRITING = 34;
export const SNAPSHOT_VOID = 36;
export const JOURNALING = 37;
export const CHANGING = 38;
export const WATCHED_ABSENT = 39;
export const GHOST_BUCKETS = 40;
export const SMALL_KEYS = 41;
export const DOOMED_TREES = 42;
export const DOOMED_TREES_COUNT = 43;
/** How many wait for keys, a client once for each (waiting.ts). */
export const WAITERS = 44;

export const DATABASE_TABLES = 64;

export const WHEEL_LEVELS = 4;
export const WHEEL_BUCKETS = 512;
export const WHEEL_HEADS = 192;

/** One table's words: its counts and its place in linear hashing; its root follows in the roots' area. */
export const TABLE_AREA = WHEEL_HEADS + WHEEL_LEVELS * WHEEL_BUCKETS;
export const TABLE_WORDS = 10;
export const TABLE_KEYS = 0;
export const TABLE_EXPIRING = 1;
export const TABLE_LEVEL = 2;
export const TABLE_SPLIT = 3;
export const TABLE_STATE = 4;
export const TABLE_DRAIN = 5;
/** Four counts, of the keys that are lists, sets, sorted sets and hashes. */
export const TABLE_COLLECTIONS = 6;

export const TABLE_FREE = 0;
export const TABLE_MAPPED = 1;
export const TABLE_DOOMED = 2;

/** What becomes of the records of changes: none are kept; each is kept; one is missing, and none are kept any more. */
export const JOURNAL_OFF = 0;
export const JOURNAL_ON = 1;
export const JOURNAL_BROKEN = 2;

/** The settings, cursors and counts. */
const CONTROL_WORDS = [
  POLICY,
  KEYS_MAX,
  DATABASES,
  TABLES,
  ROOT_WORDS,
  KEYS_LIVE,
  KEYS_DOOMED,
  PROTECTED,
  PROTECTED_SOURCE,
  LFU_LOG_FACTOR,
  LFU_DECAY_MINUTES,
  HASH_KEY_0,
  HASH_KEY_1,
  MIGRATION_CURSOR,
  COMPACTION_HAND,
  RANDOM_STATE,
  HOLD_SAMPLING,
  REPAIRS,
  SCHEDULED_LIVE,
  WRITING,
  SNAPSHOT_VOID,
  JOURNALING,
  CHANGING,
  WATCHED_ABSENT,
  GHOST_BUCKETS,
  SMALL_KEYS,
  DOOMED_TREES,
  DOOMED_TREES_COUNT,
  WAITERS,
];

assert(
  new Set(CONTROL_WORDS).size === CONTROL_WORDS.length && Math.max(...CONTROL_WORDS) < DATABASE_TABLES,
  'no two names of the control block mean one word',
);
assert(TABLE_COLLECTIONS + COLLECTION_TYPES <= TABLE_WORDS, 'a table counts its collections');
assert(DATABASE_TABLES + DATABASES_MAX <= WHEEL_HEADS, 'the database map ends before the wheel');
assert(DATABASES_MAX * 2 <= TABLE_MASK + 1, 'an entry names its table in 7 bits');

/** Float64 numbers of the control block, in their own buffer region. */
export const LSN = 0;
export const LIMIT_BYTES = 1;
export const EVICTED_KEYS = 2;
export const EXPIRED_KEYS = 3;
export const EXPIRY_LAG_MS = 4;
export const EXPIRY_LAG_MS_MAX = 5;
export const EVICTED_IDLE_SECONDS_MAX = 6;
export const LOCK_CONTENTIONS = 7;
export const WHEEL_POSITIONS = 8;
export const HOLD_STARTED_MS = 12;
export const HOLD_COUNT = 13;
export const HOLD_SUM_NS = 14;
export const HOLD_MAX_NS = 15;
export const COMPACTED_ENTRIES = 16;
export const LOCK_WAITED_NS = 17;
export const EVICTED_IDLE_SECONDS_LAST = 18;
export const EVICTED_IDLE_SECONDS_SUM = 19;
export const EXPIRED_FIELDS = 20;
export const HOLD_BUCKETS = 32;
export const HOLD_BUCKET_COUNT = 40;
/** Bucket b counts evicted entries that were idle for less than 2^b seconds, and not for less than half of that. */
export const EVICTED_IDLE_BUCKETS = 72;
export const EVICTED_IDLE_BUCKET_COUNT = 25;
/** How often each logical database was exchanged with another, and how often it was emptied. */
export const SWAPS_OF_DATABASES = 128;
export const FLUSHES_OF_DATABASES = 192;
/**
 * By the lowest bits of a key's hash, in which its database was mixed: the last change that brought such a key or took it away, while
 * some are watched (watch.ts).
 */
export const PRESENCE_CHANGES = 256;
export const PRESENCE_PLACE_MASK = 0xfff;
/** By the same bits, fewer of them: how many wait for such keys (waiting.ts). */
export const WAITING_COUNTS = PRESENCE_CHANGES + PRESENCE_PLACE_MASK + 1;
export const WAITING_PLACE_MASK = 0x3ff;
export const NUMBERS = WAITING_COUNTS + WAITING_PLACE_MASK + 1;

assert(WHEEL_POSITIONS + WHEEL_LEVELS <= HOLD_STARTED_MS, 'the wheel positions have their own numbers');
assert(
  HOLD_BUCKETS + HOLD_BUCKET_COUNT <= EVICTED_IDLE_BUCKETS &&
    EVICTED_IDLE_BUCKETS + EVICTED_IDLE_BUCKET_COUNT <= SWAPS_OF_DATABASES,
  'the histograms of lock holds and of idle times fit',
);
assert(
  SWAPS_OF_DATABASES + DATABASES_MAX <= FLUSHES_OF_DATABASES &&
    FLUSHES_OF_DATABASES + DATABASES_MAX <= PRESENCE_CHANGES,
  'every database counts its swaps and flushes',
);
