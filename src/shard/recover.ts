/**
 * What becomes of shards whose lock was held by a thread that died: checked, rebuilt if broken, and only then freed.
 *
 * Runs on the main thread. The entries describe themselves, so everything else (index, lists, wheel, counts) is rebuilt
 * from a walk over the arena's blocks. A collection keeps its pages if all are there; pages that belong to none are freed.
 * Only if the blocks themselves are broken is the shard emptied.
 */
import { writeHead } from '../collections/form.ts';
import { addCells, cellsOfHead, headOf, isPage, parentOf, writeParent } from '../collections/page.ts';
import { takePages } from '../collections/page-walk.ts';
import { checkCollection } from '../collections/sequence-check.ts';
import {
  blockCells,
  firstBlock,
  formatArena,
  isFreeBlock,
  isWalkable,
  lastBlock,
  nextBlock,
  rebuildFreeLists,
  release,
} from './arena.ts';
import { checkShard, describesEntry } from './check.ts';
import { doomTree } from './doomed-trees.ts';
import { clockOf, entryBytes, expiresAt, keyLength, keyOffset, tableOf, typeOf } from './entry.ts';
import { isTimed, scheduleEntry } from './expiry.ts';
import { breakJournal, isJournalBroken, mendJournal } from './journal.ts';
import {
  CHANGING,
  DATABASE_TABLES,
  DATABASES,
  KEYS_DOOMED,
  KEYS_LIVE,
  NONE,
  PROTECTED,
  PROTECTED_SOURCE,
  REPAIRS,
  SHAPE,
  SHAPE_TYPE_MASK,
  SHAPE_TYPE_SHIFT,
  TABLE_DOOMED,
  TABLE_EXPIRING,
  TABLE_FREE,
  TABLE_KEYS,
  TABLE_MAPPED,
  TABLE_STATE,
  TABLES,
  TYPE_STRING,
  WORDS_PER_CELL,
  WRITING,
} from './layout.ts';
import { releaseShard, seizeShard } from './lock.ts';
import { adoptEntry } from './recency.ts';
import { formatIndex, formatShard, type Shard } from './shard.ts';
import { recountSlotKeys } from './slot-keys.ts';
import { clearTable, findInTable, hashOfEntry, insertInTable, tableBase } from './table.ts';
import { countType } from './type-counts.ts';

/** Frees the locks that a dead thread held, after checking and if need be rebuilding their shards. Says what it did. */
export function recoverAfterDeath(shards: readonly Shard[], deadThreadId: number, nowMs: number): string[] {
  const report: string[] = [];
  for (const shard of shards) {
    if (!seizeShard(shard, deadThreadId)) continue;
    report.push(`shard ${shard.index}: its lock was held; ${mendShard(shard, nowMs)}`);
    releaseShard(shard);
  }
  return report;
}

/** Whether a command stopped half-way: it left an entry protected or half written, or a change half done. */
export function isSuspect(shard: Shard): boolean {
  const { control } = shard;
  const isMarked = control[WRITING] !== NONE || control[CHANGING] !== 0;
  return isMarked || control[PROTECTED] !== NONE || control[PROTECTED_SOURCE] !== NONE;
}

/**
 * Checks a shard and rebuilds it if it is broken; under its lock. An entry whose value was being written is dropped:
 * a cache may forget, never lie. What was forgotten breaks the journal. O(entries).
 */
export function mendShard(shard: Shard, nowMs: number): string {
  const wasBroken = isJournalBroken(shard);
  const report = mendMemory(shard, nowMs);
  mendJournal(shard);
  return isJournalBroken(shard) && !wasBroken ? `${report}; its log lacks a change` : report;
}

function mendMemory(shard: Shard, nowMs: number): string {
  const { control, entries } = shard;
  const writing = control[WRITING];
  if (writing !== NONE)
    entries.words[writing * WORDS_PER_CELL + SHAPE] &= ~(SHAPE_TYPE_MASK << SHAPE_TYPE_SHIFT);
  if (writing !== NONE || control[CHANGING] !== 0) breakJournal(shard);
  control[WRITING] = NONE;
  control[CHANGING] = 0;
  control[PROTECTED] = NONE;
  control[PROTECTED_SOURCE] = NONE;
  mendTables(shard);
  const problem = checkShard(shard);
  if (problem === undefined) return 'it is whole';
  breakJournal(shard);
  control[REPAIRS] += 1;
  const lost = rebuildShard(shard, nowMs);
  return `${problem}; rebuilt with ${control[KEYS_LIVE]} keys, ${lost} dropped`;
}

/** Rebuilds everything from the entries themselves; returns how many blocks were no good entries. */
function rebuildShard(shard: Shard, nowMs: number): number {
  const { entries } = shard;
  if (!isWalkable(entries)) {
    formatShard(shard, nowMs);
    return Infinity;
  }
  const found: number[] = [];
  const pages = new Set<number>();
  let dropped = 0;
  for (let ref = firstBlock(); ref < lastBlock(entries); ref = nextBlock(entries, ref)) {
    if (isFreeBlock(entries, ref)) continue;
    if (isPage(entries, ref)) pages.add(ref);
    else if (isKept(shard, ref)) found.push(ref);
    else dropped += 1;
  }
  const heads = headsByOwner(shard, pages);
  const kept = new Set<number>();
  const refs = found.filter((ref) => keepWhole(shard, ref, pages, heads, kept));
  dropped += found.length - refs.length;
  refs.sort((a, b) => clockOf(entries, a) - clockOf(entries, b));
  rebuildFreeLists(entries, kept);
  formatArena(shard.groups);
  formatIndex(shard, nowMs);
  for (const ref of refs) {
    if (!relinkWhole(shard, ref)) dropped += 1;
  }
  mendTables(shard);
  recountSlotKeys(shard);
  return dropped;
}

/**
 * Gives every database a table of its own again. A flush that stopped half-way is undone or finished, and so is a swap:
 * then two databases name one table, and the later of them takes the one that no database names.
 */
function mendTables(shard: Shard): void {
  const { control } = shard;
  const named = new Set<number>();
  for (let database = 0; database < control[DATABASES]; database += 1) {
    const table = control[DATABASE_TABLES + database];
    if (named.has(table)) control[DATABASE_TABLES + database] = unnamedTable(shard);
    named.add(control[DATABASE_TABLES + database]);
  }
  for (let table = 0; table < control[TABLES]; table += 1) {
    const base = tableBase(table);
    if (named.has(table)) control[base + TABLE_STATE] = TABLE_MAPPED;
    else if (control[base + TABLE_KEYS] > 0) control[base + TABLE_STATE] = TABLE_DOOMED;
    else if (control[base + TABLE_STATE] !== TABLE_FREE) clearTable(shard, table);
  }
}

/** A table in use that no database names: there is one when two name the same. */
function unnamedTable(shard: Shard): number {
  const { control } = shard;
  const named = control.slice(DATABASE_TABLES, DATABASE_TABLES + control[DATABASES]);
  let found = 0;
  for (let table = 0; table < control[TABLES]; table += 1) {
    if (named.includes(table)) continue;
    if (control[tableBase(table) + TABLE_STATE] === TABLE_MAPPED) return table;
    found = table;
  }
  return found;
}

function isKept(shard: Shard, ref: number): boolean {
  return (
    describesEntry(shard, ref) &&
    shard.control[tableBase(tableOf(shard.entries, ref)) + TABLE_STATE] !== TABLE_FREE
  );
}

/**
 * The pages above which there is no other, by what they name as their entry. An entry names its head byte by byte: where that was not
 * finished, the head knows.
 */
function headsByOwner({ entries }: Shard, pages: ReadonlySet<number>): Map<number, number> {
  const heads = new Map<number, number>();
  for (const page of pages) {
    const owner = parentOf(entries, page);
    if (!pages.has(owner)) heads.set(owner, page);
  }
  return heads;
}

/**
 * Adds an entry and its pages, which it gets out of those that nobody has, to what is kept; false where it lacks any. Of two copies of
 * an entry, left behind by one who moved it, the first keeps them.
 */
function keepWhole(
  shard: Shard,
  ref: number,
  pages: Set<number>,
  heads: ReadonlyMap<number, number>,
  kept: Set<number>,
): boolean {
  const { entries } = shard;
  const named = headOf(shard, ref);
  const head = named === NONE ? NONE : (heads.get(ref) ?? named);
  const own: number[] = [ref];
  let cells = 0;
  const take = (page: number, parent: number): boolean => {
    if (!pages.delete(page)) return false;
    writeParent(entries, page, parent);
    cells += blockCells(entries.words, page);
    own.push(page);
    return true;
  };
  if (head !== NONE) {
    if (!takePages(entries, head, ref, take)) return false;
    addCells(entries, head, cells - cellsOfHead(entries, head));
    if (head !== named) writeHead(entries, ref, head);
  }
  if (typeOf(entries, ref) !== TYPE_STRING && checkCollection(shard, ref) !== undefined) return false;
  for (const block of own) kept.add(block);
  return true;
}

/** Puts one entry back into index, lists, wheel and counts; an entry whose key is there already is dropped. */
function relinkWhole(shard: Shard, ref: number): boolean {
  const { control, entries } = shard;
  const table = tableOf(entries, ref);
  const hash = hashOfEntry(shard, ref);
  const key = keyOffset(entries, ref);
  const known = findInTable(shard, table, hash, entryBytes(entries, ref), key, key + keyLength(entries, ref));
  if (known !== NONE || !insertInTable(shard, table, hash, ref)) {
    doomTree(shard, ref);
    release(entries, ref);
    return false;
  }
  countType(shard, table, typeOf(entries, ref));
  control[control[tableBase(table) + TABLE_STATE] === TABLE_DOOMED ? KEYS_DOOMED : KEYS_LIVE] += 1;
  adoptEntry(shard, ref);
  if (isTimed(entries, ref)) scheduleEntry(shard, ref);
  if (expiresAt(entries, ref) !== 0) control[tableBase(table) + TABLE_EXPIRING] += 1;
  return true;
}
