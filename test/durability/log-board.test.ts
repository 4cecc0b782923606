/** The words that all threads share: numbers that wrap, who is in flight, troubles that are counted, dead threads. */
import { describe, expect, it } from 'vitest';
import {
  abandonStream,
  acquireDrain,
  awaitFlights,
  awaitsOthers,
  beginFailing,
  beginFlight,
  breakLog,
  createLogBoardBuffer,
  endFailing,
  endFlight,
  hasReached,
  isLogBroken,
  isLogTroubled,
  isStreamFailing,
  type LogBoard,
  lastDrained,
  mendLog,
  nextBlockNumber,
  noteAllSynced,
  noteSynced,
  openLogBoard,
  releaseDrain,
  setAwaitsOthers,
  settleStream,
  troubleErrno,
} from '../../src/durability/log-board.ts';

const WORKER = 2;
const ENOSPC = -28;
const EIO = -5;

function createBoard(streams: number, nextBlock = 1): LogBoard {
  return openLogBoard(createLogBoardBuffer(streams, nextBlock), streams);
}

describe('log board', () => {
  it('numbers blocks by one sequence over all streams', () => {
    const board = createBoard(3, 41);
    expect([2, 0, 1, 0].map((stream) => beginFlight(board, stream))).toEqual([41, 42, 43, 44]);
    expect(nextBlockNumber(board)).toBe(45);
  });

  it.each([2, 2 ** 29 - 1, 2 ** 30 - 2, 2 ** 30 - 1, 2 ** 30, 2 ** 31 - 1, 2 ** 40 + 2 ** 30 - 1])(
    'tells earlier from later where the words of the blocks wrap, from block %i on',
    (first) => {
      const board = createBoard(2, first);
      const block = beginFlight(board, 0);
      expect(awaitFlights(board, 1, block)).toBe(true);
      expect(awaitFlights(board, 1, block - 1)).toBe(true);
      const needed = lastDrained(board, 0, block + 1);
      expect(hasReached(board, 0, needed, false)).toBe(false);
      expect(hasReached(board, 0, lastDrained(board, 0, block - 1), false)).toBe(true);
      endFlight(board, 0, block);
      expect(hasReached(board, 0, needed, false)).toBe(true);
      expect(hasReached(board, 0, needed, true)).toBe(false);
      noteSynced(board, 0, block);
      expect(hasReached(board, 0, needed, true)).toBe(true);
      expect(hasReached(board, 0, lastDrained(board, 0, 0), true)).toBe(true);
    },
  );

  it('takes a stream without blocks for one that has reached everything', () => {
    const board = createBoard(2, 7);
    expect(hasReached(board, 1, lastDrained(board, 1, 0), true)).toBe(true);
  });

  it('does not wait for an earlier block that is held up, whoever holds it up', () => {
    const board = createBoard(2);
    const block = beginFlight(board, 0);
    beginFailing(board, 0, ENOSPC);
    expect(awaitFlights(board, 1, block + 1)).toBe(false);
    expect(awaitFlights(board, 1, 0)).toBe(false);
    endFlight(board, 0, block);
    expect(awaitFlights(board, 1, 0)).toBe(true);
    endFailing(board, 0);
    beginFlight(board, 0);
    breakLog(board, EIO);
    expect(awaitFlights(board, 1, 0)).toBe(false);
  });

  it('is troubled until the last failing stream is well, and broken until it is mended', () => {
    const board = createBoard(3);
    expect(isLogTroubled(board)).toBe(false);
    beginFailing(board, 0, ENOSPC);
    beginFailing(board, 0, ENOSPC);
    beginFailing(board, 2, EIO);
    expect(troubleErrno(board)).toBe(EIO);
    endFailing(board, 0);
    endFailing(board, 0);
    expect([isLogTroubled(board), isStreamFailing(board, 0), isStreamFailing(board, 2)]).toEqual([
      true,
      false,
      true,
    ]);
    endFailing(board, 2);
    expect(isLogTroubled(board)).toBe(false);
    breakLog(board, EIO);
    breakLog(board, EIO);
    expect([isLogTroubled(board), isLogBroken(board)]).toEqual([true, true]);
    mendLog(board);
    expect([isLogTroubled(board), isLogBroken(board), troubleErrno(board)]).toEqual([false, false, 0]);
  });

  it('is whole after a thread that died between turns, and broken after one with a block in flight', () => {
    const board = createBoard(2);
    expect(abandonStream(board, 0, WORKER)).toBe(false);
    expect(isLogBroken(board)).toBe(false);
    beginFlight(board, 0);
    expect(abandonStream(board, 0, WORKER)).toBe(true);
    expect(isLogBroken(board)).toBe(true);
    settleStream(board, 0, nextBlockNumber(board) - 1);
    mendLog(board);
    expect(isLogTroubled(board)).toBe(false);
    expect(hasReached(board, 0, lastDrained(board, 0, 0), true)).toBe(true);
  });

  it('is broken, and its drain lock free, after a thread that died with that lock', () => {
    const board = createBoard(2);
    acquireDrain(board, WORKER);
    expect(abandonStream(board, 1, WORKER + 1)).toBe(false);
    expect(abandonStream(board, 0, WORKER)).toBe(true);
    expect(isLogBroken(board)).toBe(true);
    acquireDrain(board, WORKER + 1);
    releaseDrain(board);
  });

  it('forgets what a dead thread waited for, and settles what it left failing', () => {
    const board = createBoard(2);
    setAwaitsOthers(board, 0, true);
    beginFlight(board, 0);
    beginFailing(board, 0, ENOSPC);
    abandonStream(board, 0, WORKER);
    expect(awaitsOthers(board, 0)).toBe(false);
    settleStream(board, 0, 1);
    mendLog(board);
    expect(isLogTroubled(board)).toBe(false);
  });

  it('takes what a dead thread had written for synced when its successor says so', () => {
    const board = createBoard(1);
    endFlight(board, 0, beginFlight(board, 0));
    const needed = lastDrained(board, 0, 0);
    expect(hasReached(board, 0, needed, true)).toBe(false);
    noteAllSynced(board, 0);
    expect(hasReached(board, 0, needed, true)).toBe(true);
  });
});
