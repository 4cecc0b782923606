/** Journals for tests: what is pending taken out and read, replayed elsewhere, and shards compared entry by entry. */
import { Buffer } from 'node:buffer';
import { expect } from 'vitest';
import { expiresAt, isRaw, lsnOf } from '../../src/shard/entry.ts';
import { pendingBytes, pendingFirstLsn, pendingRecords, takePending } from '../../src/shard/journal.ts';
import { scanBucket } from '../../src/shard/keyspace.ts';
import { DATABASES } from '../../src/shard/layout.ts';
import { createRecordView, decodeRecord, type RecordView } from '../../src/shard/record.ts';
import { replayRecord } from '../../src/shard/replay.ts';
import type { Shard } from '../../src/shard/shard.ts';
import { contentText } from './large-collections.ts';
import { keyText, START_MS } from './shard.ts';

/** The records of one drain. */
export type Taken = { readonly bytes: Buffer; readonly records: number; readonly firstLsn: number };

/** One record with its texts. */
export type ReadRecord = Pick<
  RecordView,
  'effect' | 'database' | 'flags' | 'extra' | 'expiresAtMs' | 'length'
> & {
  readonly lsn: number;
  readonly key: string;
  readonly value: string;
};

const POSITIONS = 2 ** 32;

export function take(shard: Shard): Taken {
  const bytes = Buffer.alloc(pendingBytes(shard));
  const taken = { bytes, records: pendingRecords(shard), firstLsn: pendingFirstLsn(shard) };
  takePending(shard, bytes, 0);
  return taken;
}

/** What was taken, record by record; every byte of it is accounted for. */
export function readRecords({ bytes, records, firstLsn }: Taken): ReadRecord[] {
  const view = createRecordView();
  const read: ReadRecord[] = [];
  let at = 0;
  while (at < bytes.length) {
    const next = decodeRecord(bytes, at, bytes.length, view);
    if (next < 0) expect.fail(`no record at ${at} of ${bytes.length}`);
    const { effect, database, flags, extra, expiresAtMs, length } = view;
    const key = bytes.toString('utf8', view.keyStart, view.keyEnd);
    const value = bytes.toString('utf8', view.valueStart, view.valueEnd);
    read.push({
      lsn: firstLsn + read.length,
      effect,
      database,
      flags,
      extra,
      expiresAtMs,
      length,
      key,
      value,
    });
    at = next;
  }
  expect(read.length).toBe(records);
  return read;
}

/** Replays what was taken into a shard; `afterEach` is told the LSN after every record. */
export function replayAll(shard: Shard, taken: Taken, afterEach: (lsn: number) => void = () => {}): void {
  const view = createRecordView();
  let at = 0;
  for (let lsn = taken.firstLsn; at < taken.bytes.length; lsn += 1) {
    at = decodeRecord(taken.bytes, at, taken.bytes.length, view);
    expect(replayRecord(shard, view, taken.bytes, lsn, START_MS)).toBe(true);
    afterEach(lsn);
  }
}

/** Every entry as `database/key`, with value, deadline, LSN and whether it is raw. */
export function entriesOf(shard: Shard): Map<string, string> {
  const { entries } = shard;
  const found = new Map<string, string>();
  for (let database = 0; database < shard.control[DATABASES]; database += 1) {
    let position = 0;
    do {
      position = scanBucket(shard, database, position, (ref) => {
        const form = isRaw(entries, ref) ? 'raw' : 'whole';
        const state = `${contentText(shard, ref)} until ${expiresAt(entries, ref)} by ${lsnOf(entries, ref)} ${form}`;
        found.set(`${database}/${keyText(shard, ref)}`, state);
      });
    } while (position < POSITIONS);
  }
  return found;
}
