/**
 * Where a reply ends in a stream of bytes from a server: RESP2 and RESP3, however the bytes are cut into reads.
 *
 * Pure; a `ReplyFrames` belongs to one connection to a server, on its thread. Nothing is kept of the replies but how many values
 * are still to come at each depth, so no byte is looked at twice and nothing is allocated for one. The payloads of bulk strings
 * are skipped. An attribute belongs to the reply in front of which it stands; a push is a frame of its own, which no command
 * asked for. Streamed values (`$?`), which no Redis sends, are refused.
 * Source: the RESP specification (redis.io), and RESP3 (github.com/redis/redis-specifications).
 */
import { REPLY_DEPTH_MAX, REPLY_LINE_BYTES_MAX } from '../config/limits-cluster.ts';

export type ReplyFrames = {
  /** Values still to be read at each depth; `left[0]` is 1 within a frame. */
  readonly left: Float64Array;
  /** 0 between two frames. */
  depth: number;
  /** Bytes of a payload, with its line's end, that are still to come. */
  skip: number;
  /** The type of the line that is being read, 0 before its first byte; how many bytes of it have come; its number so far, or NO_DIGITS. */
  lineType: number;
  lineBytes: number;
  lineValue: number;
  isNegative: boolean;
  /** The latest byte was a CR. */
  hasReturn: boolean;
  /** The type of the frame, 0 until it is known: that of the value behind the attributes. */
  frameType: number;
  isMalformed: boolean;
};

/** More bytes are needed. */
export const FRAME_UNFINISHED = -1;
/** This is no RESP: the connection is of no more use. */
export const FRAME_MALFORMED = -2;

/** Types of frames that matter to whoever reads them. */
export const FRAME_ERROR = 45;
export const FRAME_PUSH = 62;

const CARRIAGE_RETURN = 13;
const LINE_FEED = 10;
const MINUS = 45;
const ZERO = 48;
const NINE = 57;
const LINE_END_BYTES = 2;
/** Longer announcements than this are lies. */
const LENGTH_MAX = 2 ** 40;
const NO_DIGITS = -1;

/** What follows the line of each type. */
const UNKNOWN = 0;
const LINE = 1;
const PAYLOAD = 2;
const VALUES = 3;
const PAIRS = 4;
const ATTRIBUTE = 5;

const KINDS = kindsOfTypes();

export function createReplyFrames(): ReplyFrames {
  return {
    left: new Float64Array(REPLY_DEPTH_MAX + 1),
    depth: 0,
    skip: 0,
    lineType: 0,
    lineBytes: 0,
    lineValue: NO_DIGITS,
    isNegative: false,
    hasReturn: false,
    frameType: 0,
    isMalformed: false,
  };
}

/** Whether nothing of a next frame has come yet. */
export function isBetweenFrames({ depth }: ReplyFrames): boolean {
  return depth === 0;
}

/**
 * Reads on in `bytes[start, end)`, at most to the end of one frame, and returns the position behind it; or FRAME_UNFINISHED when all
 * bytes are taken in and the frame goes on in the next ones; or FRAME_MALFORMED. `frames.frameType` is the frame's type then, or 0
 * where not even that has come. O(bytes of lines).
 */
export function readFrame(frames: ReplyFrames, bytes: Uint8Array, start: number, end: number): number {
  if (frames.isMalformed) return FRAME_MALFORMED;
  let at = start;
  if (frames.depth === 0) {
    if (at >= end) return FRAME_UNFINISHED;
    frames.depth = 1;
    frames.left[0] = 1;
    frames.frameType = 0;
  }
  while (frames.depth > 0) {
    if (frames.skip > 0) {
      const step = Math.min(frames.skip, end - at);
      frames.skip -= step;
      at += step;
      if (frames.skip > 0) return FRAME_UNFINISHED;
      closeValues(frames);
      continue;
    }
    at = readLine(frames, bytes, at, end);
    if (at < 0) return at;
    if (!takeLine(frames)) return refuse(frames);
  }
  return at;
}

/** Reads to the end of the line; returns the position behind it. */
function readLine(frames: ReplyFrames, bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  if (frames.lineType === 0) {
    if (at >= end) return FRAME_UNFINISHED;
    frames.lineType = bytes[at];
    frames.lineBytes = 0;
    frames.lineValue = NO_DIGITS;
    frames.isNegative = false;
    frames.hasReturn = false;
    if (kindOf(frames.lineType) === UNKNOWN) return refuse(frames);
    at += 1;
  }
  const lineStart = at;
  const isText = kindOf(frames.lineType) === LINE;
  while (at < end) {
    const byte = bytes[at];
    at += 1;
    if (frames.hasReturn) return byte === LINE_FEED ? at : refuse(frames);
    if (byte === CARRIAGE_RETURN) frames.hasReturn = true;
    else if (byte === LINE_FEED || !(isText || takeDigit(frames, byte, frames.lineBytes + at - lineStart)))
      return refuse(frames);
  }
  frames.lineBytes += at - lineStart;
  return frames.lineBytes > REPLY_LINE_BYTES_MAX ? refuse(frames) : FRAME_UNFINISHED;
}

/** Takes one byte of a length, the `place`th of its line. */
function takeDigit(frames: ReplyFrames, byte: number, place: number): boolean {
  if (byte === MINUS && place === 1) {
    frames.isNegative = true;
    return true;
  }
  if (byte < ZERO || byte > NINE) return false;
  frames.lineValue = Math.max(0, frames.lineValue) * 10 + byte - ZERO;
  return frames.lineValue <= LENGTH_MAX;
}

/** A line is there: enters the value that it begins, or ends it. False where it makes no sense. */
function takeLine(frames: ReplyFrames): boolean {
  const { lineType, lineValue, isNegative } = frames;
  const kind = kindOf(lineType);
  frames.lineType = 0;
  if (frames.depth === 1 && kind !== ATTRIBUTE) frames.frameType = lineType;
  if (kind === LINE) {
    closeValues(frames);
    return true;
  }
  if (lineValue === NO_DIGITS) return false;
  // `$-1` and `*-1` are nulls.
  if (isNegative) {
    if (lineValue !== 1 || (kind !== PAYLOAD && kind !== VALUES)) return false;
    closeValues(frames);
    return true;
  }
  if (kind === PAYLOAD) {
    frames.skip = lineValue + LINE_END_BYTES;
    return true;
  }
  // The value behind an attribute is one more: it takes its place.
  if (kind === ATTRIBUTE) frames.left[frames.depth - 1] += 1;
  if (lineValue === 0) {
    closeValues(frames);
    return true;
  }
  if (frames.depth > REPLY_DEPTH_MAX) return false;
  frames.left[frames.depth] = kind === VALUES ? lineValue : 2 * lineValue;
  frames.depth += 1;
  return true;
}

/** A value is whole, and with it perhaps those that it was the last of. */
function closeValues(frames: ReplyFrames): void {
  const { left } = frames;
  while (frames.depth > 0) {
    left[frames.depth - 1] -= 1;
    if (left[frames.depth - 1] > 0) return;
    frames.depth -= 1;
  }
}

function refuse(frames: ReplyFrames): number {
  frames.isMalformed = true;
  return FRAME_MALFORMED;
}

function kindOf(type: number): number {
  return KINDS[type];
}

function kindsOfTypes(): Uint8Array {
  const kinds = new Uint8Array(256);
  for (const [types, kind] of [
    ['+-:_,#(', LINE],
    ['$=!', PAYLOAD],
    ['*~>', VALUES],
    ['%', PAIRS],
    ['|', ATTRIBUTE],
  ] as const) {
    for (const type of types) kinds[type.charCodeAt(0)] = kind;
  }
  return kinds;
}
