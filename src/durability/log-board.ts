/**
 * The log's board: one piece of memory in which all threads see how far each stream of the log is.
 *
 * A stream is what one worker writes, segment after segment. Every thread opens its own views; main makes the memory, clears
 * away after dead threads and ends troubles. Words are Int32 and go through Atomics, numbers are float64 and have one writer.
 *
 *   words    ┌─ DRAIN_LOCK ─┬─ TROUBLE ERRNO ─┬─ stream 0: IN_FLIGHT WRITTEN SYNCED ... ─┬─ stream 1 ─┬ ...
 *   numbers  ┌─ NEXT_BLOCK ─┬─ stream 0: BYTES_WRITTEN ... ─┬─ stream 1 ─┬ ...
 *   syncs    ┌─ stream 0: a histogram of how long its syncs took (metrics/histogram.ts) ─┬─ stream 1 ─┬ ...
 *
 * each part on cache lines of its own. Blocks have one sequence of numbers for the whole process. A word holds the low 30
 * bits of a number under a mark, so that no block is 0; two are compared by their distance, which stays far below 2^29.
 *
 * The drain lock guards NEXT_BLOCK and the order in which records leave the journals: a block gets its number, and its stream
 * the word IN_FLIGHT, before the lock is free. So whoever has the lock next sees what the one before has taken. It is a
 * word as a shard's lock is (shard/lock.ts) and comes before those: nobody who holds a shard waits for it.
 */
import { assert } from '../base/assert.ts';
import { LOCK_NAP_MS, LOCK_SPINS_MAX, WORKERS_MAX } from '../config/limits.ts';
import { HISTOGRAM_WORDS } from '../metrics/histogram.ts';

/** Parts lie so far apart that no two share what a processor fetches together. */
const LINE_BYTES = 128;
const LINE_WORDS = LINE_BYTES / Int32Array.BYTES_PER_ELEMENT;
const LINE_NUMBERS = LINE_BYTES / Float64Array.BYTES_PER_ELEMENT;

const DRAIN_LOCK = 0;
const TROUBLE = LINE_WORDS;
const ERRNO = LINE_WORDS + 1;
const STREAM_WORDS = 2 * LINE_WORDS;

/** Words of a stream: blocks, how many threads sleep until IN_FLIGHT changes, and whether its commits wait for others. */
const IN_FLIGHT = 0;
const WRITTEN = 1;
const SYNCED = 2;
const FAILING = 3;
const SLEEPERS = 4;
const AWAITS_OTHERS = 5;

const NEXT_BLOCK = 0;
const STREAM_NUMBERS = LINE_NUMBERS;

/** Numbers of a stream, for INFO, metrics and the policy of snapshots; written by the stream's worker. */
export const LOG_BYTES_WRITTEN = 0;
export const LOG_BLOCKS_WRITTEN = 1;
export const LOG_SYNCS = 2;
export const LOG_SYNCS_DELAYED = 3;
export const LOG_SYNC_MS_LAST = 4;
export const LOG_SYNC_MS_MAX = 5;
export const LOG_BYTES_UNSYNCED = 6;
export const LOG_SEGMENT_SEQUENCE = 7;
export const LOG_SEGMENT_BYTES = 8;
export const LOG_WRITES_FAILED = 9;
const STREAM_NUMBERS_USED = 10;

assert(STREAM_NUMBERS_USED <= LINE_NUMBERS, 'the numbers of a stream fit on their line');

/** Rounded up to whole lines, so that no two streams write to one. */
const HISTOGRAM_BYTES =
  Math.ceil((HISTOGRAM_WORDS * Float64Array.BYTES_PER_ELEMENT) / LINE_BYTES) * LINE_BYTES;

/** A block in a word: 30 bits under this mark. */
const BLOCK_MARK = 2 ** 30;
const NO_BLOCK = 0;

/** Set in TROUBLE once the log is broken; below it stands how many streams have a block that they cannot write. */
const BROKEN = 2 ** 30;

/** Set in the drain lock while somebody sleeps on it. */
const LOCK_SLEEPERS = 2 ** 30;

assert(WORKERS_MAX < BROKEN, 'the failing streams can be counted below the mark of a broken log');

export type LogBoard = {
  readonly streams: number;
  readonly words: Int32Array;
  readonly numbers: Float64Array;
  /** By stream, in nanoseconds; written by the stream's worker. */
  readonly syncs: readonly Float64Array[];
};

/** The memory of a log of so many streams. `nextBlock`: the number of the first block to be written, at least 1. */
export function createLogBoardBuffer(streams: number, nextBlock: number): SharedArrayBuffer {
  assert(Number.isInteger(streams) && streams >= 1 && streams <= WORKERS_MAX, 'a stream per worker');
  assert(Number.isSafeInteger(nextBlock) && nextBlock >= 1, 'blocks are numbered from 1');
  const buffer = new SharedArrayBuffer(boardBytes(streams));
  startLogBoard(openLogBoard(buffer, streams), nextBlock);
  return buffer;
}

/** Begins the count of blocks at another number, before anything was written. Main thread. */
export function startLogBoard(board: LogBoard, nextBlock: number): void {
  board.numbers[NEXT_BLOCK] = nextBlock;
  for (let stream = 0; stream < board.streams; stream += 1) settleStream(board, stream, nextBlock - 1);
}

export function openLogBoard(buffer: SharedArrayBuffer, streams: number): LogBoard {
  assert(buffer.byteLength === boardBytes(streams), 'the memory has so many streams');
  const numbersAt = wordBytes(streams);
  const syncsAt = numbersAt + numberBytes(streams);
  return {
    streams,
    words: new Int32Array(buffer, 0, numbersAt / Int32Array.BYTES_PER_ELEMENT),
    numbers: new Float64Array(buffer, numbersAt, numberBytes(streams) / Float64Array.BYTES_PER_ELEMENT),
    syncs: Array.from(
      { length: streams },
      (_, stream) => new Float64Array(buffer, syncsAt + stream * HISTOGRAM_BYTES, HISTOGRAM_WORDS),
    ),
  };
}

function boardBytes(streams: number): number {
  return wordBytes(streams) + numberBytes(streams) + streams * HISTOGRAM_BYTES;
}

function wordBytes(streams: number): number {
  return (STREAM_WORDS + streams * LINE_WORDS) * Int32Array.BYTES_PER_ELEMENT;
}

function numberBytes(streams: number): number {
  return (1 + streams) * LINE_BYTES;
}

// The drain lock.

/** Takes the drain lock, however long it takes. Uncontended: one compare-exchange. */
export function acquireDrain({ words }: LogBoard, threadId: number): void {
  if (Atomics.compareExchange(words, DRAIN_LOCK, 0, threadId) === 0) return;
  for (let spin = 0; spin < LOCK_SPINS_MAX; spin += 1) {
    pause();
    if (Atomics.load(words, DRAIN_LOCK) !== 0) continue;
    if (Atomics.compareExchange(words, DRAIN_LOCK, 0, threadId) === 0) return;
  }
  for (;;) {
    const word = Atomics.load(words, DRAIN_LOCK);
    if (word === 0) {
      // Others may sleep too: whoever wakes takes the lock with the bit set, so that its release wakes the next.
      if (Atomics.compareExchange(words, DRAIN_LOCK, 0, threadId | LOCK_SLEEPERS) === 0) return;
    } else if (
      word >= LOCK_SLEEPERS ||
      Atomics.compareExchange(words, DRAIN_LOCK, word, word | LOCK_SLEEPERS) === word
    ) {
      Atomics.wait(words, DRAIN_LOCK, word | LOCK_SLEEPERS, LOCK_NAP_MS);
    }
  }
}

export function releaseDrain({ words }: LogBoard): void {
  if (Atomics.exchange(words, DRAIN_LOCK, 0) >= LOCK_SLEEPERS) Atomics.notify(words, DRAIN_LOCK, 1);
}

/** Numbers the block of `stream` that has just been filled, and marks it as in flight. With the drain lock held. */
export function beginFlight({ words, numbers }: LogBoard, stream: number): number {
  const block = numbers[NEXT_BLOCK];
  numbers[NEXT_BLOCK] = block + 1;
  Atomics.store(words, wordsOf(stream) + IN_FLIGHT, blockWord(block));
  return block;
}

/** The number that the next block will have; exact only with the drain lock held, and never too large without. */
export function nextBlockNumber({ numbers }: LogBoard): number {
  return numbers[NEXT_BLOCK];
}

// Blocks on their way.

/** The block of `stream` is in its file: threads that wait for it go on. */
export function endFlight({ words }: LogBoard, stream: number, block: number): void {
  const base = wordsOf(stream);
  Atomics.store(words, base + WRITTEN, blockWord(block));
  Atomics.store(words, base + IN_FLIGHT, NO_BLOCK);
  if (Atomics.load(words, base + SLEEPERS) > 0) Atomics.notify(words, base + IN_FLIGHT);
}

/**
 * Waits until no other stream has a block in flight that is earlier than `block`; 0 for any that is in flight now. False
 * when one is held up by a trouble of the log, so that waiting is no use. Sleeps only where a thread is slow or dead.
 */
export function awaitFlights(board: LogBoard, stream: number, block: number): boolean {
  const { words, streams } = board;
  const bound = block === 0 ? NO_BLOCK : blockWord(block);
  for (let other = 0; other < streams; other += 1) {
    if (other === stream) continue;
    const word = Atomics.load(words, wordsOf(other) + IN_FLIGHT);
    if (word === NO_BLOCK || (bound !== NO_BLOCK && !isEarlier(word, bound))) continue;
    if (!awaitLanding(board, other, word)) return false;
  }
  return true;
}

/** Whether some thread has taken records out of a journal that are not in their file yet. */
export function hasFlights({ words, streams }: LogBoard): boolean {
  // Records that have left their journals already, for a block that has no number yet.
  if (Atomics.load(words, DRAIN_LOCK) !== 0) return true;
  for (let stream = 0; stream < streams; stream += 1) {
    if (Atomics.load(words, wordsOf(stream) + IN_FLIGHT) !== NO_BLOCK) return true;
  }
  return false;
}

function awaitLanding(board: LogBoard, stream: number, word: number): boolean {
  const { words } = board;
  const at = wordsOf(stream) + IN_FLIGHT;
  if (isLogTroubled(board) && isHeldUp(board, stream)) return Atomics.load(words, at) !== word;
  for (let spin = 0; spin < LOCK_SPINS_MAX; spin += 1) {
    pause();
    if (Atomics.load(words, at) !== word) return true;
  }
  const sleepers = wordsOf(stream) + SLEEPERS;
  Atomics.add(words, sleepers, 1);
  while (Atomics.load(words, at) === word && !isHeldUp(board, stream)) {
    Atomics.wait(words, at, word, LOCK_NAP_MS);
  }
  Atomics.sub(words, sleepers, 1);
  return Atomics.load(words, at) !== word;
}

function isHeldUp(board: LogBoard, stream: number): boolean {
  return isLogBroken(board) || Atomics.load(board.words, wordsOf(stream) + FAILING) !== 0;
}

/**
 * The last block of `stream` that holds records which left their journals before `block` got its number (0: until now), as
 * a word for `hasReached`. It may be a later one.
 */
export function lastDrained({ words }: LogBoard, stream: number, block: number): number {
  const base = wordsOf(stream);
  const inFlight = Atomics.load(words, base + IN_FLIGHT);
  if (inFlight !== NO_BLOCK && (block === 0 || !isEarlier(blockWord(block), inFlight))) return inFlight;
  return Atomics.load(words, base + WRITTEN);
}

/** Whether the block that `lastDrained` answered is in the file, and with `isSynced` on the disk. */
export function hasReached({ words }: LogBoard, stream: number, word: number, isSynced: boolean): boolean {
  return !isEarlier(Atomics.load(words, wordsOf(stream) + (isSynced ? SYNCED : WRITTEN)), word);
}

/** The stream is on the disk up to `block`. */
export function noteSynced({ words }: LogBoard, stream: number, block: number): void {
  Atomics.store(words, wordsOf(stream) + SYNCED, blockWord(block));
}

/** The stream is on the disk as far as it was written; nobody writes it meanwhile. */
export function noteAllSynced({ words }: LogBoard, stream: number): void {
  const base = wordsOf(stream);
  Atomics.store(words, base + SYNCED, Atomics.load(words, base + WRITTEN));
}

/** Says whether the commits of `stream` wait for other streams, which then tell it of their progress. */
export function setAwaitsOthers({ words }: LogBoard, stream: number, awaits: boolean): void {
  Atomics.store(words, wordsOf(stream) + AWAITS_OTHERS, awaits ? 1 : 0);
}

/** Whether `stream` wants to be told of the progress of others. */
export function awaitsOthers({ words }: LogBoard, stream: number): boolean {
  return Atomics.load(words, wordsOf(stream) + AWAITS_OTHERS) !== 0;
}

// Trouble.

/** Whether a stream cannot write, or the log is broken: writes should be refused. One load. */
export function isLogTroubled({ words }: LogBoard): boolean {
  return words[TROUBLE] !== 0;
}

/** Whether the log has a hole, or may have one: only a new epoch with a snapshot mends that. */
export function isLogBroken({ words }: LogBoard): boolean {
  return Atomics.load(words, TROUBLE) >= BROKEN;
}

/** The system's number of the error that came last (negative, as in Error.errno); 0 where it has none. */
export function troubleErrno({ words }: LogBoard): number {
  return Atomics.load(words, ERRNO);
}

export function breakLog({ words, streams }: LogBoard, errno: number): void {
  Atomics.store(words, ERRNO, errno);
  Atomics.or(words, TROUBLE, BROKEN);
  for (let stream = 0; stream < streams; stream += 1) Atomics.notify(words, wordsOf(stream) + IN_FLIGHT);
}

/** The stream could not write its block, which stays in flight. */
export function beginFailing({ words }: LogBoard, stream: number, errno: number): void {
  Atomics.store(words, ERRNO, errno);
  if (Atomics.exchange(words, wordsOf(stream) + FAILING, 1) === 0) Atomics.add(words, TROUBLE, 1);
  Atomics.notify(words, wordsOf(stream) + IN_FLIGHT);
}

/** The stream could write again. */
export function endFailing({ words }: LogBoard, stream: number): void {
  if (Atomics.exchange(words, wordsOf(stream) + FAILING, 0) === 1) Atomics.sub(words, TROUBLE, 1);
}

export function isStreamFailing({ words }: LogBoard, stream: number): boolean {
  return Atomics.load(words, wordsOf(stream) + FAILING) !== 0;
}

/** Nothing of the stream is in flight, failing or unsynced; `block` counts as its last. */
export function settleStream(board: LogBoard, stream: number, block: number): void {
  const { words } = board;
  Atomics.store(words, wordsOf(stream) + SYNCED, blockWord(block));
  endFailing(board, stream);
  endFlight(board, stream, block);
}

/** The log is whole again: every stream was settled on a new segment. Main thread. */
export function mendLog({ words }: LogBoard): void {
  Atomics.and(words, TROUBLE, ~BROKEN);
  Atomics.store(words, ERRNO, 0);
}

/**
 * Clears away after a thread that died: its drain lock, its block. True when that broke the log, because records had left a
 * journal that never reached a file. Main thread, before the locks of the shards that it held are freed.
 */
export function abandonStream(board: LogBoard, stream: number, deadThreadId: number): boolean {
  const { words } = board;
  let isHole = Atomics.load(words, wordsOf(stream) + IN_FLIGHT) !== NO_BLOCK;
  for (let word = Atomics.load(words, DRAIN_LOCK); (word & ~LOCK_SLEEPERS) === deadThreadId; ) {
    isHole = true;
    breakLog(board, 0);
    const found = Atomics.compareExchange(words, DRAIN_LOCK, word, 0);
    if (found === word) {
      Atomics.notify(words, DRAIN_LOCK);
      break;
    }
    // A waiter has set its bit in between.
    word = found;
  }
  if (isHole) breakLog(board, 0);
  setAwaitsOthers(board, stream, false);
  return isHole;
}

/** Where the numbers of a stream begin in `board.numbers`. */
export function logNumbersOf(stream: number): number {
  return STREAM_NUMBERS + stream * LINE_NUMBERS;
}

function wordsOf(stream: number): number {
  return STREAM_WORDS + stream * LINE_WORDS;
}

function blockWord(block: number): number {
  return (block % BLOCK_MARK) | BLOCK_MARK;
}

/** By their distance within 30 bits: the marks cancel. */
function isEarlier(word: number, than: number): boolean {
  return (word - than) << 2 < 0;
}

const pause: () => void = (Atomics as unknown as { pause?: () => void }).pause ?? (() => undefined);
