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
  valueLength,
  valueOffset,
} from '../../../src/shard/entry.ts';
import { scanBucket } from '../../../src/shard/keyspace.ts';
import { DATABASES } from '../../../src/shard/layout.ts';
import type { Shard } from '../../../src/shard/shard.ts';
import { POSITIONS } from '../../../src/shard/table.ts';
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
      const value = valueText(shard, ref);
      found.set(key, { value, expiresAtMs: expiresAt(entries, ref), lsn: lsnOf(entries, ref) });
    });
  }
  return found;
}

export function valueText({ entries }: Shard, ref: number): string {
  const at = valueOffset(entries, ref);
  return entryBytes(entries, ref).toString('latin1', at, at + valueLength(entries, ref));
}
