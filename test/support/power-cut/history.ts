/**
 * What a simulated server has done, in plain values: every change of every shard in order, in which block of the log it left,
 * and what was promised of it. From that follows what a recovery must, and may, find.
 */
import { assert } from '../../../src/base/assert.ts';

export type PlainEntry = { readonly value: string; readonly expiresAtMs: number; readonly lsn: number };

/** The databases of one shard, by key. */
export type PlainShard = Map<string, PlainEntry>[];

/** One change of one shard, as it is done to plain values; `lsn` is the last that it took. */
export type PlainChange = (shard: PlainShard, lsn: number) => void;

type LoggedChange = {
  readonly shard: number;
  readonly lsn: number;
  /** Changes of one command are all there, or none is. */
  readonly command: number;
  readonly apply: PlainChange;
  /** The block in which it left its journal; 0 before. */
  block: number;
};

type LoggedBlock = { readonly block: number; readonly changes: readonly LoggedChange[] };

/** Everything up to `block` was answered or is on the disk, since `atMs`. */
type Promised = { readonly block: number; readonly atMs: number };

export type History = {
  /** What the shards held after block `baseBlock`. */
  readonly base: PlainShard[];
  baseBlock: number;
  blocks: LoggedBlock[];
  /** By shard: changes that no block has yet. */
  readonly pending: LoggedChange[][];
  acknowledged: Promised[];
  /** Commands so far. */
  commands: number;
  /** The last block that must be there after a power cut, and when the process merely died. */
  powerFloor: number;
  killFloor: number;
};

export function createHistory(shards: number, databases: number): History {
  return {
    base: Array.from({ length: shards }, () => Array.from({ length: databases }, () => new Map())),
    baseBlock: 0,
    blocks: [],
    pending: Array.from({ length: shards }, () => []),
    acknowledged: [],
    commands: 0,
    powerFloor: 0,
    killFloor: 0,
  };
}

export function noteChange(history: History, change: Omit<LoggedChange, 'block'>): LoggedChange {
  const noted = { ...change, block: 0 };
  history.pending[change.shard].push(noted);
  return noted;
}

/** The changes with smaller LSNs than `firstLsns` (by shard) have left in this block. Half of a command is a failure. */
export function noteBlock(history: History, block: number, firstLsns: readonly number[]): void {
  const changes = history.pending.flatMap((pending, shard) => {
    const left = pending.filter(({ lsn }) => lsn < firstLsns[shard]);
    history.pending[shard] = pending.slice(left.length);
    return left;
  });
  const commands = new Set(changes.map(({ command }) => command));
  const isSplit = history.pending.flat().some(({ command }) => commands.has(command));
  if (isSplit) throw new Error(`block ${block} has half of a command`);
  for (const change of changes) change.block = block;
  history.blocks.push({ block, changes });
}

/** A client was told of everything up to this block. */
export function noteAcknowledged(history: History, block: number, atMs: number): void {
  if (block > 0) history.acknowledged.push({ block, atMs });
}

/** What the process owes when it dies: everything acknowledged, and after a power cut that of before `durableMs`. */
export function noteDeath(history: History, durableMs: number): void {
  for (const { block, atMs } of history.acknowledged) {
    history.killFloor = Math.max(history.killFloor, block);
    if (atMs <= durableMs) history.powerFloor = Math.max(history.powerFloor, block);
  }
  history.acknowledged = [];
  for (const pending of history.pending) pending.length = 0;
}

/** What the shards hold after this block. */
export function contentsAfter(history: History, block: number): PlainShard[] {
  assert(block >= history.baseBlock, 'the past is folded up to the last recovery');
  const shards = history.base.map((shard) => shard.map((entries) => new Map(entries)));
  for (const { changes } of history.blocks.filter((one) => one.block <= block)) {
    for (const { shard, lsn, apply } of changes) apply(shards[shard], lsn);
  }
  return shards;
}

/** The server has been started with everything up to this block, and the rest never was. */
export function foldHistory(history: History, block: number): void {
  const contents = contentsAfter(history, block);
  contents.forEach((shard, index) => {
    history.base[index] = shard;
  });
  history.baseBlock = block;
  history.blocks = [];
  history.powerFloor = block;
  history.killFloor = block;
}

/** One line per entry, in a certain order. */
export function linesOf(shards: readonly PlainShard[]): string[] {
  const lines = shards.flatMap((shard, index) =>
    shard.flatMap((entries, database) =>
      [...entries].map(([key, { value, expiresAtMs, lsn }]) => {
        return `${index}/${database}/${key} = ${JSON.stringify(value)} until ${expiresAtMs}, change ${lsn}`;
      }),
    ),
  );
  return lines.sort();
}
