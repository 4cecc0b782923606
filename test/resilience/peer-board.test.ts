/** What all threads share of the other nodes. */
import { describe, expect, it } from 'vitest';
import { recordFailure, stateName } from '../../src/resilience/circuit-breaker.ts';
import {
  createPeerBoardBuffer,
  openPeerBoard,
  PEER_COMMANDS_PER_SECOND,
  PEER_HEARD_MS,
  PEER_LATENCY_MS,
  peerNumber,
  setPeerNumber,
} from '../../src/resilience/peer-board.ts';

const SETTINGS = { clusterBreakerFailures: 2, clusterBreakerResetMs: 100 };
const NUMBERS = [PEER_LATENCY_MS, PEER_HEARD_MS, PEER_COMMANDS_PER_SECOND];
const LAST = 254;

describe('the board', () => {
  it('has a breaker for each node, and one view`s failure is every view`s', () => {
    const buffer = createPeerBoardBuffer();
    const [one, other] = [openPeerBoard(buffer, SETTINGS), openPeerBoard(buffer, SETTINGS)];
    expect(recordFailure(one.breakers[LAST], 0)).toBe(false);
    expect(recordFailure(other.breakers[LAST], 0)).toBe(true);
    expect(one.breakers.map((breaker) => stateName(breaker)).lastIndexOf('closed')).toBe(LAST - 1);
    expect(stateName(one.breakers[LAST])).toBe('open');
  });

  it('keeps the numbers of each node apart from all others and from the breakers', () => {
    const board = openPeerBoard(createPeerBoardBuffer(), SETTINGS);
    for (let node = 0; node <= LAST; node += 1) {
      for (const which of NUMBERS) setPeerNumber(board, node, which, node * 10 + which);
    }
    for (let node = 0; node <= LAST; node += 1) {
      for (const which of NUMBERS) expect(peerNumber(board, node, which)).toBe(node * 10 + which);
    }
    expect(new Set(board.breakers.map((breaker) => stateName(breaker)))).toEqual(new Set(['closed']));
  });
});
