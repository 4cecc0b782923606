/**
 * How the files of `dir` are called: segments in a folder per stream, snapshots in a folder per shard.
 *
 * Owns no state; any thread. Numbers are zero-padded, so that a listing is in order; larger ones are simply longer.
 */

const FOLDER_DIGITS = 3;
const FILE_DIGITS = 12;

const STREAM_FOLDER = /^worker-(\d{3,})$/;
const SHARD_FOLDER = /^shard-(\d{3,})$/;
const SEGMENT_NAME = /^wal-(\d{12,})\.log$/;
const SNAPSHOT_NAME = /^snapshot-(\d{12,})\.snap$/;

/** `worker-000`: where the segments of one stream lie. */
export function streamFolder(stream: number): string {
  return `worker-${pad(stream, FOLDER_DIGITS)}`;
}

/** `worker-000/wal-000000000042.log`. */
export function segmentPath(stream: number, sequence: number): string {
  return `${streamFolder(stream)}/wal-${pad(sequence, FILE_DIGITS)}.log`;
}

/** `shard-003`: where the snapshots of one shard lie. */
export function shardFolder(shard: number): string {
  return `shard-${pad(shard, FOLDER_DIGITS)}`;
}

/** `shard-003/snapshot-000000000007.snap`. */
export function snapshotPath(shard: number, set: number): string {
  return `${shardFolder(shard)}/snapshot-${pad(set, FILE_DIGITS)}.snap`;
}

/** The stream whose folder is called so; undefined for any other name. */
export function parseStreamFolder(name: string): number | undefined {
  return numberIn(STREAM_FOLDER, name);
}

/** The shard whose folder is called so; undefined for any other name. */
export function parseShardFolder(name: string): number | undefined {
  return numberIn(SHARD_FOLDER, name);
}

/** The sequence number of a segment's file name (without its folder); undefined for any other name. */
export function parseSegmentName(name: string): number | undefined {
  return numberIn(SEGMENT_NAME, name);
}

/** The set of a snapshot's file name (without its folder); undefined for any other name. */
export function parseSnapshotName(name: string): number | undefined {
  return numberIn(SNAPSHOT_NAME, name);
}

function pad(value: number, digits: number): string {
  return String(value).padStart(digits, '0');
}

function numberIn(pattern: RegExp, name: string): number | undefined {
  const match = pattern.exec(name);
  return match === null ? undefined : Number(match[1]);
}
