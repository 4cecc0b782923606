/**
 * Whether the segments that the manifest lists are there, and are what it says: the first step of reading a log.
 *
 * Owns no state; any thread. Reads the header of each segment.
 */
import { segmentPath } from './file-names.ts';
import { LOG_VERSION, LOG_VERSION_OLDEST, type SegmentHeader } from './log-format.ts';
import { readSegmentHeader } from './log-reader.ts';
import type { Manifest, ManifestSegment, ManifestStream, SnapshotSet } from './manifest.ts';
import type { Storage } from './storage-types.ts';

/** A segment that is what the manifest says. */
export type SegmentFacts = {
  readonly path: string;
  readonly sequence: number;
  readonly header: SegmentHeader;
  readonly fileBytes: number;
};

/** One stream: its good segments up to the first that is not, and the sequence numbers from there on. */
export type StreamFacts = {
  readonly stream: number;
  readonly segments: readonly SegmentFacts[];
  readonly lost: readonly number[];
};

/** Something that keeps the log from being read: the file, the offset in it, and what is wrong there. */
export type LogFinding = { readonly path: string; readonly offset: number; readonly problem: string };

/** Looks at the segments that recovery needs when it starts at the snapshot set `base`, or at the log's beginning without one. */
export function checkSegments(
  storage: Storage,
  manifest: Manifest,
  base: SnapshotSet | null,
): { streams: StreamFacts[]; findings: LogFinding[] } {
  const findings: LogFinding[] = [];
  const streams = manifest.streams.map((listed) =>
    checkStream(storage, manifest, listed, firstNeeded(base, listed), findings),
  );
  for (const { stream, sequence } of base?.cut ?? []) {
    const listed = manifest.streams.find((candidate) => candidate.stream === stream);
    const first = listed?.segments[0].sequence ?? Infinity;
    // Where all of a stream is older than the snapshot, its cut is behind the last segment; later it is not listed at all.
    if (first <= sequence || first === Infinity) continue;
    findings.push({
      path: segmentPath(stream, sequence),
      offset: 0,
      problem: 'the snapshot needs this segment, and the manifest does not list it',
    });
  }
  return { streams, findings };
}

function firstNeeded(base: SnapshotSet | null, { stream }: ManifestStream): number {
  return base?.cut.find((cut) => cut.stream === stream)?.sequence ?? 0;
}

function checkStream(
  storage: Storage,
  manifest: Manifest,
  { stream, segments }: ManifestStream,
  first: number,
  findings: LogFinding[],
): StreamFacts {
  const needed = segments.filter(({ sequence }) => sequence >= first);
  const good: SegmentFacts[] = [];
  for (const segment of needed) {
    const path = segmentPath(stream, segment.sequence);
    const facts = checkSegment(storage, manifest, stream, segment, path);
    if (typeof facts !== 'string') {
      good.push(facts);
      continue;
    }
    findings.push({ path, offset: 0, problem: facts });
    break;
  }
  return { stream, segments: good, lost: needed.slice(good.length).map(({ sequence }) => sequence) };
}

function checkSegment(
  storage: Storage,
  manifest: Manifest,
  stream: number,
  listed: ManifestSegment,
  path: string,
): SegmentFacts | string {
  if (!storage.exists(path)) return 'the segment is missing';
  const header = readSegmentHeader(storage, path);
  if (typeof header === 'string') return header;
  const problem = mismatch(header, manifest, stream, listed);
  if (problem !== undefined) return problem;
  return { path, sequence: listed.sequence, header, fileBytes: fileBytes(storage, path) };
}

/** What the header says otherwise than the manifest, in words. */
function mismatch(
  header: SegmentHeader,
  { epoch, shards, databases }: Manifest,
  stream: number,
  listed: ManifestSegment,
): string | undefined {
  const isCurrent = listed.epoch === epoch;
  const pairs: [name: string, found: number, due: number][] = [
    ['format version', header.version, isReadable(header.version) ? header.version : LOG_VERSION],
    ['stream', header.stream, stream],
    ['sequence number', header.sequence, listed.sequence],
    ['epoch', header.epoch, listed.epoch],
    ['first block', header.firstBlock, listed.firstBlock],
    ['number of shards', header.shards, isCurrent ? shards : header.shards],
    ['number of databases', header.databases, isCurrent ? databases : header.databases],
  ];
  const wrong = pairs.find(([, found, due]) => found !== due);
  return wrong === undefined ? undefined : `the header's ${wrong[0]} is ${wrong[1]}, not ${wrong[2]}`;
}

function isReadable(version: number): boolean {
  return version >= LOG_VERSION_OLDEST && version <= LOG_VERSION;
}

function fileBytes(storage: Storage, path: string): number {
  const fd = storage.openRead(path);
  try {
    return storage.size(fd);
  } finally {
    storage.close(fd);
  }
}
