/**
 * What a shard holds, as plain values: everything that is in it, expired or not.
 */
import { checkShard } from '../../../src/shard/check.ts';
import { tableFor } from '../../../src/shard/databases.ts';
import {
  entryBytes,
  expiresAt,
  keyLength,
  keyOffset,
  lsnOf,
  tableOf,
  typeOf,
  valueLength,
  valueOffset,
} from '../../../src/shard/entry.ts';
import { scanBucket } from '../../../src/shard/keyspace.ts';
import { DATABASES, TYPE_STRING } from '../../../src/shard/layout.ts';
import type { Shard } from '../../../src/shard/shard.ts';
import { POSITIONS } from '../../../src/shard/table.ts';
import { contentsOfCollection } from '../operations.ts';
import type { PlainShard } from './history.ts';

/** Throws an Error where the shard is not whole. */
export function contentsOfShard(shard: Shard): PlainShard {
  const problem = checkShard(shard);
  if (problem !== undefined) throw new Error(`shard ${shard.index} is not whole: ${problem}`);
  return Array.from({ length: shard.control[DATABASES] }, (_, database) =>
    entriesOfDatabase(shard, database),
  );
}

function entriesOfDatabase(shard: Shard, database: number): PlainShard[number] {
  const found: PlainShard[number] = new Map();
  const { entries } = shard;
  for (let position = 0; position < POSITIONS; ) {
    position = scanBucket(shard, database, position, (ref) => {
      const at = keyOffset(entries, ref);
      const key = entryBytes(entries, ref).toString('latin1', at, at + keyLength(entries, ref));
      if (found.has(key) || tableOf(entries, ref) !== tableFor(shard, database)) {
        throw new Error(`key ${key} is there twice`);
      }
      const isString = typeOf(entries, ref) === TYPE_STRING;
      const value = isString ? valueText(shard, ref) : spellCollection(contentsOfCollection(shard, ref));
      found.set(key, { value, expiresAtMs: expiresAt(entries, ref), lsn: lsnOf(entries, ref) });
    });
  }
  return found;
}

/** A collection's contents (operations.ts) as a value. */
export function spellCollection(contents: readonly string[]): string {
  return JSON.stringify(contents);
}

export function valueText({ entries }: Shard, ref: number): string {
  const at = valueOffset(entries, ref);
  return entryBytes(entries, ref).toString('latin1', at, at + valueLength(entries, ref));
}
