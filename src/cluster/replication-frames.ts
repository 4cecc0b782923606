/**
 * The frames of a stream of replication, from the owner of slots to a node that has replicas of them (docs/formats/replication.md).
 *
 * Pure; runs on the workers at both ends. Little-endian; every frame begins on a multiple of 8 of the stream:
 *
 *   0        4         8        12       16           24
 *  ┌────────┬─────────┬────────┬────────┬────────────┬─────────────────────────────┐
 *  │ KIND   │ PAYLOAD │ SHARD  │ COUNT  │ LSN (u64)  │ payload, whole 8 bytes of it │
 *  │        │ BYTES   │        │        │            │                             │
 *  └────────┴─────────┴────────┴────────┴────────────┴─────────────────────────────┘
 *
 * What goes the other way are arguments of commands (CLUSTER FEED, CLUSTER FEED-ACK), drawn at their encoders.
 */
import { Buffer } from 'node:buffer';
import { assert } from '../base/assert.ts';
import { readUint64, writeUint64 } from '../base/bytes.ts';
import { SLOT_COUNT } from '../routing/slot.ts';

/** Who the owner is. COUNT: its shards; the payload: its run id (40 bytes), and by shard the number of its history (u64). */
export const FRAME_HELLO = 1;
/** Which slots, as bits, go on where an earlier stream ended: what else came by that one is out of date. */
export const FRAME_RESUMED = 2;
/** COUNT records of a shard; with them the replica has all of its slots' up to LSN. */
export const FRAME_RECORDS = 3;
/**
 * These slots (bits) of a shard are copied from here on: what the replica has of them goes. LSN: the epoch that says that it is to have
 * them; COUNT: the shard's history.
 */
export const FRAME_COPY = 4;
/**
 * COUNT records of slots that are copied, each the whole of a key as it was after the change LSN; of a large collection what it begins
 * with, or a piece of it.
 */
export const FRAME_SLICE = 5;
/** The slots (bits) are whole. LSN: the latest change that is in them. */
export const FRAME_WHOLE = 6;
/** These slots (bits) of a shard were emptied. */
export const FRAME_EMPTIED = 7;
/** Nothing: the owner is there. */
export const FRAME_PING = 8;
/**
 * To a node that owned slots before: by each of COUNT shards of its own, a u64, the latest change that its successor has had. The
 * successor has none of those behind.
 */
export const FRAME_INHERITED = 9;
/** These slots (bits) are fed no more: what the replica has of them falls behind from here on. */
export const FRAME_UNFED = 10;

const KIND_LAST = FRAME_UNFED;

export const FRAME_HEADER_BYTES = 24;
/** A bit for each slot. */
export const SLOT_BITS_BYTES = SLOT_COUNT / 8;

const PAYLOAD_AT = 4;
const SHARD_AT = 8;
const COUNT_AT = 12;
const LSN_AT = 16;
const ALIGNMENT = 8;
const NUMBER_BYTES = 8;
const READER_BYTES_START = 64 * 1024;
/** An empty reader keeps no more than this. */
const READER_BYTES_KEPT_MAX = 1024 * 1024;

assert(LSN_AT + NUMBER_BYTES === FRAME_HEADER_BYTES, 'the header ends with its LSN');

/** What comes in of a stream. One frame at a time is looked at, in `bytes[payloadStart, payloadEnd)`, good until the next call. */
export type FrameReader = {
  bytes: Buffer;
  start: number;
  end: number;
  kind: number;
  shard: number;
  count: number;
  lsn: number;
  payloadStart: number;
  payloadEnd: number;
  /** Bytes of all frames that were taken. */
  takenBytes: number;
};

/** What `takeFrame` found. */
export const FRAME_TAKEN = 0;
export const FRAME_INCOMPLETE = 1;
export const FRAME_DAMAGED = 2;

export function createFrameReader(): FrameReader {
  return {
    bytes: Buffer.allocUnsafeSlow(READER_BYTES_START),
    ...{ start: 0, end: 0, kind: 0, shard: 0, count: 0, lsn: 0 },
    ...{ payloadStart: 0, payloadEnd: 0, takenBytes: 0 },
  };
}

/** Adds bytes that have come, which are copied. */
export function addBytes(reader: FrameReader, bytes: Buffer): void {
  if (reader.start === reader.end) {
    reader.start = 0;
    reader.end = 0;
    if (reader.bytes.length > READER_BYTES_KEPT_MAX)
      reader.bytes = Buffer.allocUnsafeSlow(READER_BYTES_START);
  }
  const have = reader.end - reader.start;
  if (reader.end + bytes.length > reader.bytes.length) {
    const target =
      have + bytes.length <= reader.bytes.length / 2
        ? reader.bytes
        : Buffer.allocUnsafeSlow(
            Math.max(2 * reader.bytes.length, have + bytes.length, bytesAwaited(reader)),
          );
    reader.bytes.copy(target, 0, reader.start, reader.end);
    reader.bytes = target;
    reader.start = 0;
    reader.end = have;
  }
  bytes.copy(reader.bytes, reader.end);
  reader.end += bytes.length;
}

/** Looks at the next frame and takes it. */
export function takeFrame(reader: FrameReader): number {
  const { bytes, start, end } = reader;
  if (end - start < FRAME_HEADER_BYTES) return FRAME_INCOMPLETE;
  const kind = bytes.readUInt32LE(start);
  const payloadBytes = bytes.readUInt32LE(start + PAYLOAD_AT);
  if (kind < FRAME_HELLO || kind > KIND_LAST || payloadBytes % ALIGNMENT !== 0) return FRAME_DAMAGED;
  const frameEnd = start + FRAME_HEADER_BYTES + payloadBytes;
  if (frameEnd > end) return FRAME_INCOMPLETE;
  reader.kind = kind;
  reader.shard = bytes.readUInt32LE(start + SHARD_AT);
  reader.count = bytes.readUInt32LE(start + COUNT_AT);
  reader.lsn = readUint64(bytes, start + LSN_AT);
  reader.payloadStart = start + FRAME_HEADER_BYTES;
  reader.payloadEnd = frameEnd;
  reader.start = frameEnd;
  reader.takenBytes += frameEnd - start;
  return FRAME_TAKEN;
}

/** What the frame at hand needs altogether, so that a long one is not moved again and again. */
function bytesAwaited({ bytes, start, end }: FrameReader): number {
  return end - start < FRAME_HEADER_BYTES ? 0 : FRAME_HEADER_BYTES + bytes.readUInt32LE(start + PAYLOAD_AT);
}

/** Writes the header of a frame whose payload of so many bytes, a multiple of 8, lies behind it. */
export function encodeFrameHeader(
  target: Buffer,
  at: number,
  kind: number,
  payloadBytes: number,
  shard: number,
  count: number,
  lsn: number,
): void {
  target.writeUInt32LE(kind, at);
  target.writeUInt32LE(payloadBytes, at + PAYLOAD_AT);
  target.writeUInt32LE(shard, at + SHARD_AT);
  target.writeUInt32LE(count, at + COUNT_AT);
  writeUint64(target, at + LSN_AT, lsn);
}

/** A frame by itself. The payload is filled up with zeros. */
export function encodeFrame(
  kind: number,
  shard: number,
  count: number,
  lsn: number,
  payload: Uint8Array,
): Buffer {
  const payloadBytes = Math.ceil(payload.length / ALIGNMENT) * ALIGNMENT;
  const frame = Buffer.alloc(FRAME_HEADER_BYTES + payloadBytes);
  encodeFrameHeader(frame, 0, kind, payloadBytes, shard, count, lsn);
  frame.set(payload, FRAME_HEADER_BYTES);
  return frame;
}

/** A set of slots, a byte each, as bits. */
export function encodeSlotBits(slots: Uint8Array): Uint8Array {
  const bits = new Uint8Array(SLOT_BITS_BYTES);
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) if (slots[slot] !== 0) bits[slot >>> 3] |= 1 << (slot & 7);
  return bits;
}

/** Whether a slot is in the bits that begin at `at`. */
export function hasSlotBit(bytes: Uint8Array, at: number, slot: number): boolean {
  return (bytes[at + (slot >>> 3)] & (1 << (slot & 7))) !== 0;
}

/** Where an earlier stream ended: of which process, up to which LSN of each shard, in which history of it; and which slots it kept whole. */
export type ResumePoint = {
  readonly runId: string;
  readonly lsns: Float64Array;
  readonly histories: Float64Array;
  readonly slots: Uint8Array;
};

export const RUN_ID_BYTES = 40;
const RESUME_SHARDS_AT = RUN_ID_BYTES;
const RESUME_LANES_AT = RESUME_SHARDS_AT + NUMBER_BYTES;
const LANE_BYTES = 2 * NUMBER_BYTES;

/**
 * The resume point as an argument of CLUSTER FEED; nothing for none.
 *
 *   0        40        48                     + 16 x shards
 *  ┌────────┬─────────┬──────────────────────┬────────────┐
 *  │ run id │ shards  │ LSN, history (u64)   │ slot bits  │
 *  └────────┴─────────┴──────────────────────┴────────────┘
 */
export function encodeResume(point: ResumePoint | undefined): Buffer {
  if (point === undefined) return Buffer.alloc(0);
  const { runId, lsns, histories, slots } = point;
  const slotsAt = RESUME_LANES_AT + lsns.length * LANE_BYTES;
  const bytes = Buffer.alloc(slotsAt + SLOT_BITS_BYTES);
  bytes.write(runId, 0, 'latin1');
  writeUint64(bytes, RESUME_SHARDS_AT, lsns.length);
  for (let shard = 0; shard < lsns.length; shard += 1) {
    writeUint64(bytes, RESUME_LANES_AT + shard * LANE_BYTES, lsns[shard]);
    writeUint64(bytes, RESUME_LANES_AT + shard * LANE_BYTES + NUMBER_BYTES, histories[shard]);
  }
  bytes.set(encodeSlotBits(slots), slotsAt);
  return bytes;
}

/** Reads it; undefined where there is none, or none that makes sense. */
export function decodeResume(bytes: Buffer): ResumePoint | undefined {
  if (bytes.length < RESUME_LANES_AT) return undefined;
  const shards = readUint64(bytes, RESUME_SHARDS_AT);
  const slotsAt = RESUME_LANES_AT + shards * LANE_BYTES;
  if (bytes.length !== slotsAt + SLOT_BITS_BYTES) return undefined;
  const point = {
    runId: bytes.toString('latin1', 0, RUN_ID_BYTES),
    lsns: new Float64Array(shards),
    histories: new Float64Array(shards),
    slots: new Uint8Array(SLOT_COUNT),
  };
  for (let shard = 0; shard < shards; shard += 1) {
    point.lsns[shard] = readUint64(bytes, RESUME_LANES_AT + shard * LANE_BYTES);
    point.histories[shard] = readUint64(bytes, RESUME_LANES_AT + shard * LANE_BYTES + NUMBER_BYTES);
  }
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
    point.slots[slot] = hasSlotBit(bytes, slotsAt, slot) ? 1 : 0;
  }
  return point;
}

/** How far a replica is: bytes of frames that it has taken, and for shards whose records came, up to which LSN its log has them. */
export type Acknowledgement = {
  readonly takenBytes: number;
  readonly shards: number[];
  readonly lsns: number[];
};

/** As an argument of CLUSTER FEED-ACK: u64s, the bytes, and for each shard its number and the LSN. */
export function encodeAcknowledgement({ takenBytes, shards, lsns }: Acknowledgement): Buffer {
  const bytes = Buffer.allocUnsafe(NUMBER_BYTES + shards.length * LANE_BYTES);
  writeUint64(bytes, 0, takenBytes);
  for (let index = 0; index < shards.length; index += 1) {
    writeUint64(bytes, NUMBER_BYTES + index * LANE_BYTES, shards[index]);
    writeUint64(bytes, 2 * NUMBER_BYTES + index * LANE_BYTES, lsns[index]);
  }
  return bytes;
}

/** Reads it; undefined where it makes no sense. */
export function decodeAcknowledgement(bytes: Buffer): Acknowledgement | undefined {
  if (bytes.length < NUMBER_BYTES || (bytes.length - NUMBER_BYTES) % LANE_BYTES !== 0) return undefined;
  const acknowledgement = { takenBytes: readUint64(bytes, 0), shards: [] as number[], lsns: [] as number[] };
  for (let at = NUMBER_BYTES; at < bytes.length; at += LANE_BYTES) {
    acknowledgement.shards.push(readUint64(bytes, at));
    acknowledgement.lsns.push(readUint64(bytes, at + NUMBER_BYTES));
  }
  return acknowledgement;
}

/** Slots (a byte each) that the replica has passed changes of over, as bits, and the epoch of the topology by which it has. */
export function encodePassedOver(slots: Uint8Array, epoch: number): Buffer {
  const bytes = Buffer.alloc(SLOT_BITS_BYTES + NUMBER_BYTES);
  bytes.set(encodeSlotBits(slots), 0);
  writeUint64(bytes, SLOT_BITS_BYTES, epoch);
  return bytes;
}

/** Reads it: the bits come first. Undefined where it makes no sense. */
export function decodePassedOver(bytes: Buffer): { bits: Uint8Array; epoch: number } | undefined {
  if (bytes.length !== SLOT_BITS_BYTES + NUMBER_BYTES) return undefined;
  return { bits: bytes.subarray(0, SLOT_BITS_BYTES), epoch: readUint64(bytes, SLOT_BITS_BYTES) };
}

/** A list of whole numbers, u64s. */
export function encodeNumbers(numbers: ArrayLike<number>): Buffer {
  const bytes = Buffer.allocUnsafe(numbers.length * NUMBER_BYTES);
  for (let index = 0; index < numbers.length; index += 1)
    writeUint64(bytes, index * NUMBER_BYTES, numbers[index]);
  return bytes;
}

/** Reads `bytes[start, end)`; undefined where that is no list. */
export function decodeNumbers(bytes: Buffer, start: number, end: number): Float64Array | undefined {
  if (end < start || (end - start) % NUMBER_BYTES !== 0) return undefined;
  const numbers = new Float64Array((end - start) / NUMBER_BYTES);
  for (let index = 0; index < numbers.length; index += 1)
    numbers[index] = readUint64(bytes, start + index * NUMBER_BYTES);
  return numbers;
}
