/**
 * One segment of a stream: made ahead of its use, then written by one worker.
 *
 * Made on the main thread, off the turns: putting header and name on the disk may take as long as the disk likes. Opened by
 * the worker that writes it, which is cheap; a file belongs to the thread that opened it and is closed when that ends.
 */
import { Buffer } from 'node:buffer';
import { segmentPath, streamFolder } from './file-names.ts';
import { encodeSegmentHeader, LOG_VERSION, SEGMENT_HEADER_BYTES } from './log-format.ts';
import type { Storage } from './storage-types.ts';

export type Segment = {
  readonly fd: number;
  readonly path: string;
  readonly stream: number;
  readonly sequence: number;
  readonly epoch: number;
  /** Where the next block goes. */
  bytes: number;
};

/** What the header of a new segment says. `firstBlock`: no block with a smaller number will stand in it. */
export type SegmentOptions = {
  readonly stream: number;
  readonly sequence: number;
  readonly epoch: number;
  readonly shards: number;
  readonly databases: number;
  readonly firstBlock: number;
  readonly createdMs: number;
};

/** Makes a segment and puts it on the disk, name and all. Throws the system's error, and leaves no file then. */
export function openSegment(storage: Storage, options: SegmentOptions): Segment {
  const { stream, sequence, epoch } = options;
  const folder = streamFolder(stream);
  const path = segmentPath(stream, sequence);
  const isFirst = !storage.exists(folder);
  storage.makeFolder(folder);
  if (isFirst) storage.syncFolder('.');
  const fd = storage.createFile(path);
  try {
    const header = Buffer.alloc(SEGMENT_HEADER_BYTES);
    encodeSegmentHeader(header, 0, { ...options, version: LOG_VERSION, bootId: storage.bootId() });
    storage.write(fd, header, 0, SEGMENT_HEADER_BYTES, 0);
    storage.sync(fd);
    storage.syncFolder(folder);
  } catch (error) {
    storage.close(fd);
    storage.remove(path);
    throw error;
  }
  return { fd, path, stream, sequence, epoch, bytes: SEGMENT_HEADER_BYTES };
}

/** Opens a segment that another thread has made, and that nothing was written to yet. Throws the system's error. */
export function joinSegment(storage: Storage, stream: number, sequence: number, epoch: number): Segment {
  const path = segmentPath(stream, sequence);
  return { fd: storage.openWrite(path), path, stream, sequence, epoch, bytes: SEGMENT_HEADER_BYTES };
}
