/** What a replay hands over: the cases of the original's log tests, and many streams against a plain list. */
import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { segmentPath } from '../../src/durability/file-names.ts';
import { replayLog } from '../../src/durability/log-replay.ts';
import { placeLog, recoverPlaced, replayedRecords, SAME_BOOT, scanPlaced } from '../support/built-log.ts';
import {
  addBlock,
  builtFiles,
  createLogBuilder,
  del,
  type LogBuilder,
  put,
  rotate,
} from '../support/log-builder.ts';

function oneStream(): LogBuilder {
  return createLogBuilder({ streams: 1, shards: 1, bootId: SAME_BOOT });
}

describe('the original cases', () => {
  it('basic append and replay', () => {
    const builder = oneStream();
    addBlock(builder, 0, [{ shard: 0, records: [put('key1', 'value1')] }]);
    addBlock(builder, 0, [{ shard: 0, records: [put('key2', 'value2')] }]);
    expect(recoverPlaced(placeLog(builder))).toEqual(['1/0/1 1 0 key1=value1', '1/0/2 1 0 key2=value2']);
  });

  it('delete without value', () => {
    const builder = oneStream();
    addBlock(builder, 0, [{ shard: 0, records: [put('key1', 'value1'), del('key1')] }]);
    expect(recoverPlaced(placeLog(builder))).toEqual(['1/0/1 1 0 key1=value1', '1/0/2 2 0 key1=']);
  });

  it('empty replay', () => {
    const log = placeLog(oneStream());
    expect(recoverPlaced(log)).toEqual([]);
    expect(scanPlaced(log).plan).toMatchObject({ nextBlock: 1, lastBlock: 0, largestLsn: 0 });
  });

  it('large operation set', () => {
    const builder = createLogBuilder({ streams: 2, shards: 4, bootId: SAME_BOOT });
    const due: string[] = [];
    const lsns = [0, 0, 0, 0];
    for (let number = 0; number < 10_000; number += 10) {
      const shard = (number / 10) % 4;
      const records = Array.from({ length: 10 }, (_, at) =>
        put(`key:${number + at}`, `value:${number + at}`),
      );
      for (const { key, value } of records) {
        lsns[shard] += 1;
        due.push(`1/${shard}/${lsns[shard]} 1 0 ${key}=${value}`);
      }
      if (number % 2500 === 0) rotate(builder, number % 2);
      addBlock(builder, (number / 10) % 2, [{ shard, records }]);
    }
    expect(recoverPlaced(placeLog(builder))).toEqual(due);
  });

  it('truncation', () => {
    const builder = oneStream();
    addBlock(builder, 0, [{ shard: 0, records: [put('before', '1')] }]);
    const path = segmentPath(0, 1);
    const kept = builtFiles(builder).get(path)?.length ?? 0;
    addBlock(builder, 0, [{ shard: 0, records: [put('torn', '2')] }]);
    const torn = builtFiles(builder).get(path)?.subarray(0, -1);
    const log = placeLog(builder, new Map([[path, torn]]));
    expect(recoverPlaced(log)).toEqual(['1/0/1 1 0 before=1']);
    expect(log.disk.contents(path).length).toBe(kept);
  });
});

describe('a replay', () => {
  it('hands over the blocks of many streams in the order of their numbers', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 6 }),
        fc.array(fc.record({ stream: fc.nat(5), shard: fc.nat(2), records: fc.nat(3), turn: fc.nat(6) })),
        (streams, steps) => {
          const builder = createLogBuilder({ streams, shards: 3, bootId: SAME_BOOT });
          const due: string[] = [];
          for (const { stream, shard, records: count, turn } of steps) {
            if (turn === 0) rotate(builder, stream % streams);
            const first = builder.lsns[shard];
            const records = Array.from({ length: count }, (_, at) => put(`k${first + at}`, ''));
            due.push(...records.map(({ key }, at) => `1/${shard}/${first + at} 1 0 ${key}=`));
            addBlock(builder, stream % streams, [{ shard, records }]);
          }
          expect(recoverPlaced(placeLog(builder))).toEqual(due);
        },
      ),
      { numRuns: 150 },
    );
  });

  it('ends when its target says so', () => {
    const builder = oneStream();
    addBlock(builder, 0, [{ shard: 0, records: [put('a', '1'), put('b', '2')] }]);
    const log = placeLog(builder);
    let calls = 0;
    const apply = () => {
      calls += 1;
      return false;
    };
    expect(replayLog(log.disk, scanPlaced(log).plan, { wants: () => true, apply })).toBe(-1);
    expect(calls).toBe(1);
  });

  it('tells how far it is, in bytes', () => {
    const builder = oneStream();
    for (let block = 0; block < 10; block += 1) {
      addBlock(builder, 0, [{ shard: 0, records: [put('k', 'x'.repeat(2 ** 20))] }]);
    }
    const told: number[] = [];
    const log = placeLog(builder);
    const { plan } = scanPlaced(log);
    replayLog(log.disk, plan, {
      wants: () => true,
      apply: () => true,
      onProgress: (bytes) => told.push(bytes),
    });
    expect(told.length).toBe(2);
    expect(told.every((bytes, index) => bytes > (index + 1) * 2 ** 22 && bytes < plan.bytes)).toBe(true);
  });

  it('stops with an error that names the file when that changed after the scan', () => {
    const builder = oneStream();
    addBlock(builder, 0, [{ shard: 0, records: [put('a', '1')] }]);
    const log = placeLog(builder);
    const result = scanPlaced(log);
    const changed = Buffer.from(log.disk.contents(segmentPath(0, 1)));
    changed[changed.length - 1] ^= 1;
    log.disk.place(segmentPath(0, 1), changed);
    expect(() => replayedRecords(log, result)).toThrow(
      'worker-000/wal-000000000001.log changed while it was read: bad payload checksum at offset 4096',
    );
    log.disk.place(segmentPath(0, 1), changed.subarray(0, 4096));
    expect(() => replayedRecords(log, result)).toThrow('the log became shorter while it was read');
    log.disk.place(segmentPath(0, 1), Buffer.alloc(10));
    expect(() => replayedRecords(log, result)).toThrow('changed while it was read: short header');
  });
});
