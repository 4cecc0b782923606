/**
 * A small snapshot file made with the encoders of the product: one section of short string entries.
 */
import { Buffer } from 'node:buffer';
import {
  chainSection,
  encodeSnapshotFooter,
  encodeSnapshotHeader,
  SECTION_HEADER_BYTES,
  SNAPSHOT_PAGE_BYTES,
  SNAPSHOT_VERSION,
  type SnapshotHeader,
  sealSection,
  sectionBytes,
} from '../../src/durability/snapshot-format.ts';
import {
  CELL_BYTES,
  LSN_LOW,
  NARROW_KEY_AT,
  SHAPE,
  SHAPE_SLACK_SHIFT,
  SHAPE_TYPE_SHIFT,
  TYPE_STRING,
} from '../../src/shard/layout.ts';

export type SnapshotPlan = {
  readonly shard: number;
  readonly shards: number;
  readonly set: number;
  readonly epoch: number;
  readonly lsn: number;
  readonly entries: readonly (readonly [key: string, value: string])[];
};

/** The bytes of the file. Entries are in database 0 and have the snapshot's LSN. */
export function buildSnapshot({ shard, shards, set, epoch, lsn, entries }: SnapshotPlan): Buffer {
  const header: SnapshotHeader = {
    ...{ version: SNAPSHOT_VERSION, shard, shards, databases: 16, clocks: 0, epoch, set, startLsn: lsn },
    ...{ createdMs: 1_700_000_000_000, ring: 0 },
  };
  const first = Buffer.alloc(SNAPSHOT_PAGE_BYTES);
  encodeSnapshotHeader(first, header);
  const images = Buffer.concat(entries.map(([key, value]) => imageOf(key, value, lsn)));
  const section = Buffer.alloc(sectionBytes(images.length));
  images.copy(section, SECTION_HEADER_BYTES);
  const fields = {
    payloadBytes: images.length,
    records: entries.length,
    database: 0,
    section: 0,
    asOfLsn: lsn,
  };
  sealSection(section, header, fields);
  const last = Buffer.alloc(SNAPSHOT_PAGE_BYTES);
  encodeSnapshotFooter(last, {
    ...{ sections: 1, chain: chainSection(0, section), entries: entries.length, endLsn: lsn, epoch, set },
    bytes: first.length + section.length + last.length,
    databaseEntries: [entries.length],
  });
  return Buffer.concat([first, section, last]);
}

function imageOf(key: string, value: string, lsn: number): Buffer {
  const bytes = NARROW_KEY_AT + key.length + value.length;
  const cells = Math.ceil(bytes / CELL_BYTES);
  const image = Buffer.alloc(cells * CELL_BYTES);
  const slack = image.length - bytes;
  image.writeUInt32LE(cells << 2, 0);
  image.writeUInt32LE(lsn, LSN_LOW * 4);
  image.writeUInt16LE(
    key.length | (slack << SHAPE_SLACK_SHIFT) | (TYPE_STRING << SHAPE_TYPE_SHIFT),
    SHAPE * 4,
  );
  image.write(key + value, NARROW_KEY_AT, 'latin1');
  return image;
}
