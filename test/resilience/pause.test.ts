/** Tests of pauses: what joins, what ends, and that the gate's bits say what the pause is. */
import { beforeEach, describe, expect, it } from 'vitest';
import {
  closeGate,
  createGateBuffer,
  GATE_LOG,
  GATE_PAUSES_ALL,
  GATE_PAUSES_WRITES,
  type Gate,
  gateReasons,
} from '../../src/resilience/gate.ts';
import { beginPause, endPause, isPaused, isPausing, pauseEndMs } from '../../src/resilience/pause.ts';

const NOW_MS = 1_800_000_000_000;

let gate: Gate;
beforeEach(() => {
  gate = new Int32Array(createGateBuffer());
});

describe('a pause', () => {
  it('is none at first', () => {
    expect(isPausing(gate)).toBe(false);
    expect(isPaused(gate, NOW_MS)).toBe(false);
    expect(pauseEndMs(gate)).toBe(0);
  });

  it('lasts up to its last millisecond, and opens the gate for whoever looks behind it', () => {
    beginPause(gate, NOW_MS + 10, false);
    expect(gateReasons(gate)).toBe(GATE_PAUSES_WRITES);
    expect(isPaused(gate, NOW_MS + 10)).toBe(true);
    expect(gateReasons(gate)).toBe(GATE_PAUSES_WRITES);
    expect(isPaused(gate, NOW_MS + 11)).toBe(false);
    expect(gateReasons(gate)).toBe(0);
    expect(pauseEndMs(gate)).toBe(0);
  });

  it.each([
    [NOW_MS + 5, NOW_MS + 9],
    [NOW_MS + 9, NOW_MS + 5],
  ])('joins another one (to %d and to %d): the later end counts', (one, other) => {
    beginPause(gate, one, false);
    beginPause(gate, other, false);
    expect(pauseEndMs(gate)).toBe(NOW_MS + 9);
  });

  it.each([
    [true, false],
    [false, true],
    [true, true],
  ])('of all commands (%s, %s) beats one of writes, whichever came first', (one, other) => {
    beginPause(gate, NOW_MS + 5, one);
    beginPause(gate, NOW_MS + 5, other);
    expect(gateReasons(gate)).toBe(GATE_PAUSES_WRITES | GATE_PAUSES_ALL);
  });

  it('ends when it is told to, whatever there was, and leaves other reasons alone', () => {
    closeGate(gate, GATE_LOG);
    endPause(gate);
    beginPause(gate, NOW_MS + 5, true);
    endPause(gate);
    expect(gateReasons(gate)).toBe(GATE_LOG);
    beginPause(gate, NOW_MS + 2, false);
    expect(gateReasons(gate)).toBe(GATE_LOG | GATE_PAUSES_WRITES);
    expect(pauseEndMs(gate)).toBe(NOW_MS + 2);
  });

  it('may last longer than any date', () => {
    beginPause(gate, Number.MAX_VALUE, false);
    expect(isPaused(gate, NOW_MS * 1000)).toBe(true);
  });
});
