/**
 * Whether a shard is whole: everything walked both ways, every count compared with what is there.
 *
 * Runs on any thread, under the shard's lock; reads only. O(entries). Every test of the shard ends with it, and the
 * supervisor runs it on a shard whose lock was held by a thread that died.
 */
import { TREE_VALUE_BYTES } from '../collections/form.ts';
import { headOf, isPage, parentOf } from '../collections/page.ts';
import { takePages } from '../collections/page-walk.ts';
import { isSaneCollection } from '../collections/sane.ts';
import { checkCollection } from '../collections/sequence-check.ts';
import { blockCells, checkArena, firstBlock, isFreeBlock, lastBlock, nextBlock, usedCells } from './arena.ts';
import { countDoomedPages } from './doomed-trees.ts';
import {
  entryBytes,
  expiresAt,
  isSmall,
  isWide,
  keyLength,
  lsnOf,
  tableOf,
  typeOf,
  valueLength,
  valueOffset,
} from './entry.ts';
import { checkWheel, isTimed } from './expiry.ts';
import {
  CELL_BYTES,
  CHANGING,
  COLLECTION_TYPES,
  DATABASE_TABLES,
  DATABASES,
  GHOST_BUCKETS,
  HEAD_ALL,
  HEAD_SMALL,
  HEAD_VOLATILE,
  KEYS_DOOMED,
  KEYS_LIVE,
  LSN,
  NARROW_KEY_AT,
  NONE,
  POLICY,
  PROTECTED,
  PROTECTED_SOURCE,
  SCHEDULED_LIVE,
  SMALL_KEYS,
  TABLE_COLLECTIONS,
  TABLE_DOOMED,
  TABLE_EXPIRING,
  TABLE_FREE,
  TABLE_KEYS,
  TABLE_MAPPED,
  TABLE_STATE,
  TABLES,
  TYPE_HASH,
  TYPE_LIST,
  TYPE_STRING,
  WIDE_KEY_AT,
  WRITING,
} from './layout.ts';
import { ALL_S3FIFO } from './policy.ts';
import { newerThan, olderThan } from './recency.ts';
import type { Shard } from './shard.ts';
import { checkSlotKeys } from './slot-keys.ts';
import { groupCount, groupSize, hashOfEntry, indexCells, isInTable, refAt, tableBase } from './table.ts';

/** What is wrong with the shard, or nothing. */
export function checkShard(shard: Shard): string | undefined {
  return (
    checkArena(shard.entries) ??
    checkArena(shard.groups) ??
    checkProtection(shard) ??
    checkTables(shard) ??
    checkEntries(shard) ??
    checkPages(shard) ??
    checkRecency(shard) ??
    checkGhosts(shard) ??
    checkDeadlines(shard) ??
    checkSlotKeys(shard)
  );
}

/** The used blocks of the arena: entries, or pages of collections. */
function countBlocks({ entries }: Shard, arePages: boolean): number {
  let count = 0;
  for (let ref = firstBlock(); ref < lastBlock(entries); ref = nextBlock(entries, ref)) {
    if (!isFreeBlock(entries, ref) && isPage(entries, ref) === arePages) count += 1;
  }
  return count;
}

/** Whether a used block can be an entry by its own fields. */
export function describesEntry(shard: Shard, ref: number): boolean {
  const { entries, control } = shard;
  const type = typeOf(entries, ref);
  if (type < TYPE_STRING || type > TYPE_HASH || tableOf(entries, ref) >= control[TABLES]) return false;
  const keyBytes = keyLength(entries, ref);
  const valueBytes = valueLength(entries, ref);
  const bytes = blockCells(entries.words, ref) * CELL_BYTES;
  const keyAt = isWide(entries, ref) ? WIDE_KEY_AT : NARROW_KEY_AT;
  if (keyBytes < 0 || valueBytes < 0 || keyAt + keyBytes + valueBytes > bytes) return false;
  const value = valueOffset(entries, ref);
  if (type === TYPE_STRING) return true;
  if (headOf(shard, ref) !== NONE) return valueBytes === TREE_VALUE_BYTES;
  return isSaneCollection(type, entryBytes(entries, ref), value, value + valueBytes);
}

function checkProtection(shard: Shard): string | undefined {
  const { control } = shard;
  if (control[WRITING] !== NONE) return 'a command left an entry half written';
  if (control[CHANGING] !== 0) return 'a command left a change half done';
  if (control[PROTECTED] === NONE && control[PROTECTED_SOURCE] === NONE) return undefined;
  return 'a command left an entry protected';
}

function checkTables(shard: Shard): string | undefined {
  const { control } = shard;
  let live = 0;
  let doomed = 0;
  for (let table = 0; table < control[TABLES]; table += 1) {
    const base = tableBase(table);
    const state = control[base + TABLE_STATE];
    if (state === TABLE_FREE && control[base + TABLE_KEYS] !== 0) return `free table ${table} has keys`;
    if (state === TABLE_DOOMED) doomed += control[base + TABLE_KEYS];
    else live += control[base + TABLE_KEYS];
    const problem = checkTable(shard, table);
    if (problem !== undefined) return problem;
  }
  if (live !== control[KEYS_LIVE]) return `${live} keys live, ${control[KEYS_LIVE]} are counted`;
  if (doomed !== control[KEYS_DOOMED])
    return `${doomed} keys are doomed, ${control[KEYS_DOOMED]} are counted`;
  const blocks = countBlocks(shard, false);
  if (blocks !== live + doomed) return `${blocks} blocks for ${live + doomed} keys`;
  return checkIndexCells(shard) ?? checkDatabases(shard);
}

function checkIndexCells(shard: Shard): string | undefined {
  let cells = 0;
  for (let table = 0; table < shard.control[TABLES]; table += 1) cells += indexCells(shard, table);
  return cells === usedCells(shard.groups)
    ? undefined
    : `the tables hold ${cells} index cells, ${usedCells(shard.groups)} are used`;
}

/** Every database has a mapped table of its own, and what no database names is free or still drains. */
function checkDatabases(shard: Shard): string | undefined {
  const { control } = shard;
  const named = new Set(control.subarray(DATABASE_TABLES, DATABASE_TABLES + control[DATABASES]));
  if (named.size !== control[DATABASES]) return 'two databases have one table';
  for (let table = 0; table < control[TABLES]; table += 1) {
    const base = tableBase(table);
    if (named.has(table) !== (control[base + TABLE_STATE] === TABLE_MAPPED))
      return `table ${table} errs about its database`;
    if (control[base + TABLE_STATE] === TABLE_DOOMED && control[base + TABLE_KEYS] === 0)
      return `table ${table} is empty and waits to be drained`;
  }
  return undefined;
}

function checkTable(shard: Shard, table: number): string | undefined {
  const base = tableBase(table);
  const types = new Int32Array(COLLECTION_TYPES);
  let keys = 0;
  let expiring = 0;
  for (let group = 0; group < groupCount(shard, table); group += 1) {
    for (let place = 0; place < groupSize(shard, table, group); place += 1) {
      const ref = refAt(shard, table, group, place);
      keys += 1;
      if (tableOf(shard.entries, ref) !== table) return `entry ${ref} of table ${table} says otherwise`;
      if (expiresAt(shard.entries, ref) !== 0) expiring += 1;
      const type = typeOf(shard.entries, ref);
      if (type >= TYPE_LIST) types[type - TYPE_LIST] += 1;
    }
  }
  const wrong = types.findIndex((count, index) => count !== shard.control[base + TABLE_COLLECTIONS + index]);
  if (wrong >= 0)
    return `table ${table} has ${types[wrong]} keys of type ${TYPE_LIST + wrong}, which is not what it counts`;
  const counted = shard.control[base + TABLE_KEYS];
  if (keys !== counted) return `table ${table} has ${keys} keys, ${counted} are counted`;
  const countedExpiring = shard.control[base + TABLE_EXPIRING];
  return expiring === countedExpiring
    ? undefined
    : `table ${table} has ${expiring} keys that expire, ${countedExpiring} are counted`;
}

function checkEntries(shard: Shard): string | undefined {
  const { entries } = shard;
  for (let ref = firstBlock(); ref < lastBlock(entries); ref = nextBlock(entries, ref)) {
    if (isFreeBlock(entries, ref) || isPage(entries, ref)) continue;
    if (!describesEntry(shard, ref)) return `block ${ref} is no entry`;
    if (lsnOf(entries, ref) > shard.numbers[LSN]) return `entry ${ref} is newer than the shard`;
    if (!isInTable(shard, tableOf(entries, ref), hashOfEntry(shard, ref), ref))
      return `entry ${ref} is in no group`;
  }
  return undefined;
}

/** Every collection is whole, and every page belongs to one, or to one that is gone. */
function checkPages(shard: Shard): string | undefined {
  const { entries } = shard;
  const { pages: doomed, problem } = countDoomedPages(shard);
  if (problem !== undefined) return problem;
  let pages = doomed;
  for (let ref = firstBlock(); ref < lastBlock(entries); ref = nextBlock(entries, ref)) {
    if (isFreeBlock(entries, ref) || isPage(entries, ref) || typeOf(entries, ref) === TYPE_STRING) continue;
    const own = countPages(shard, ref);
    if (own < 0) return `collection ${ref} has a page that is not its own`;
    pages += own;
    const wrong = checkCollection(shard, ref);
    if (wrong !== undefined) return wrong;
  }
  const blocks = countBlocks(shard, true);
  return pages === blocks ? undefined : `${blocks} pages, of which ${pages} belong to collections`;
}

/** The pages of a collection, -1 where they are not whole. */
function countPages(shard: Shard, ref: number): number {
  const { entries } = shard;
  const head = headOf(shard, ref);
  let pages = 0;
  const take = (page: number, parent: number): boolean => {
    pages += 1;
    return isPage(entries, page) && parentOf(entries, page) === parent;
  };
  return head === NONE || takePages(entries, head, ref, take) ? pages : -1;
}

function checkRecency(shard: Shard): string | undefined {
  const all = countList(shard, HEAD_ALL);
  const volatile = countList(shard, HEAD_VOLATILE);
  const small = countList(shard, HEAD_SMALL);
  const keys = shard.control[KEYS_LIVE] + shard.control[KEYS_DOOMED];
  if (all < 0 || volatile < 0 || small < 0) return 'a recency list has a wrong link or mark';
  if (small !== shard.control[SMALL_KEYS])
    return `${small} entries in the small queue, ${shard.control[SMALL_KEYS]} are counted`;
  const listed = all + volatile + small;
  return listed === keys ? undefined : `${listed} entries in recency lists, ${keys} keys`;
}

/** There is room for its buckets, and none without the policy. */
function checkGhosts({ control, ghosts }: Shard): string | undefined {
  const buckets = control[GHOST_BUCKETS];
  if (buckets * 2 > ghosts.length) return `${buckets} buckets of ghosts, ${ghosts.length} words`;
  return buckets > 0 === (control[POLICY] === ALL_S3FIFO) ? undefined : `${buckets} buckets of ghosts`;
}

function countList(shard: Shard, head: number): number {
  const keys = shard.control[KEYS_LIVE] + shard.control[KEYS_DOOMED];
  let count = 0;
  let previous = head;
  for (let ref = newerThan(shard.entries, head); ref !== head; ref = newerThan(shard.entries, ref)) {
    if (olderThan(shard.entries, ref) !== previous) return -1;
    if (isSmall(shard.entries, ref) !== (head === HEAD_SMALL)) return -1;
    previous = ref;
    count += 1;
    if (count > keys) return -1;
  }
  return olderThan(shard.entries, head) === previous ? count : -1;
}

function checkDeadlines(shard: Shard): string | undefined {
  const { count, problem } = checkWheel(shard);
  if (problem !== undefined) return problem;
  let expiring = 0;
  for (let table = 0; table < shard.control[TABLES]; table += 1) {
    expiring += shard.control[tableBase(table) + TABLE_EXPIRING];
  }
  if (count !== shard.control[SCHEDULED_LIVE])
    return `${count} scheduled, ${shard.control[SCHEDULED_LIVE]} counted`;
  const timed = expiring + countTimedHashes(shard);
  return count === timed ? undefined : `${count} entries scheduled, ${timed} fall due`;
}

/** The hashes that do not expire themselves, but some of their fields do. */
function countTimedHashes({ entries }: Shard): number {
  let count = 0;
  for (let ref = firstBlock(); ref < lastBlock(entries); ref = nextBlock(entries, ref)) {
    if (isFreeBlock(entries, ref) || isPage(entries, ref)) continue;
    if (expiresAt(entries, ref) === 0 && isTimed(entries, ref)) count += 1;
  }
  return count;
}
