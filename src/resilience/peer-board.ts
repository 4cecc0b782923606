/**
 * How the other nodes of the cluster have been lately, in memory that all threads share: a circuit breaker for each, and what main's
 * pings found.
 *
 * Nodes are named by their index in the topology. Any thread asks and tells the breakers; the numbers are written by main and read
 * by whoever shows them.
 *
 *   0                          4 words x 255, rounded up    + 4 x f64 x 255
 *  ┌──────────────────────────┬────────────────────────────┐
 *  │ breakers, one after      │ numbers of each node       │
 *  │ the other                │                            │
 *  └──────────────────────────┴────────────────────────────┘
 */
import { assert } from '../base/assert.ts';
import type { Config } from '../config/config.ts';
import { PEER_BREAKER_GROWTH_MAX, PEER_PROBES_MAX } from '../config/limits-cluster.ts';
import { BREAKER_WORDS, type CircuitBreaker, openCircuitBreaker } from './circuit-breaker.ts';

/** What main knows of a node by its latest ping: the time that it took, in milliseconds; when it came back, by `sharedMs`; commands a second there. */
export const PEER_LATENCY_MS = 0;
export const PEER_HEARD_MS = 1;
export const PEER_COMMANDS_PER_SECOND = 2;
const NUMBERS = 4;

const PEERS_MAX = 255;
const NUMBERS_AT = 4096;
const BOARD_BYTES = NUMBERS_AT + PEERS_MAX * NUMBERS * Float64Array.BYTES_PER_ELEMENT;

assert(
  PEERS_MAX * BREAKER_WORDS * Int32Array.BYTES_PER_ELEMENT <= NUMBERS_AT,
  'the breakers end before the numbers',
);

/** One thread's view. */
export type PeerBoard = {
  readonly breakers: readonly CircuitBreaker[];
  /** Of each node in a row; 0 for what was never found. */
  readonly numbers: Float64Array;
};

/** All breakers closed, nothing found. */
export function createPeerBoardBuffer(): SharedArrayBuffer {
  return new SharedArrayBuffer(BOARD_BYTES);
}

export function openPeerBoard(
  buffer: SharedArrayBuffer,
  {
    clusterBreakerFailures,
    clusterBreakerResetMs,
  }: Pick<Config, 'clusterBreakerFailures' | 'clusterBreakerResetMs'>,
): PeerBoard {
  const words = new Int32Array(buffer, 0, NUMBERS_AT / Int32Array.BYTES_PER_ELEMENT);
  const settings = {
    failuresMax: clusterBreakerFailures,
    resetMs: clusterBreakerResetMs,
    resetMsMax: clusterBreakerResetMs * PEER_BREAKER_GROWTH_MAX,
    probesMax: PEER_PROBES_MAX,
  };
  return {
    breakers: Array.from({ length: PEERS_MAX }, (_, node) =>
      openCircuitBreaker(words, node * BREAKER_WORDS, settings),
    ),
    numbers: new Float64Array(buffer, NUMBERS_AT, PEERS_MAX * NUMBERS),
  };
}

/** One of the PEER_ numbers of a node. */
export function peerNumber({ numbers }: PeerBoard, node: number, which: number): number {
  return numbers[node * NUMBERS + which];
}

export function setPeerNumber({ numbers }: PeerBoard, node: number, which: number, value: number): void {
  numbers[node * NUMBERS + which] = value;
}
