/** Tests of the gate: reasons come and go independently, and all threads see the same. */
import { describe, expect, it } from 'vitest';
import {
  closeGate,
  createGateBuffer,
  GATE_LOADING,
  GATE_LOG,
  GATE_SNAPSHOT,
  gateErrno,
  gateReasons,
  openGate,
} from '../../src/resilience/gate.ts';

const REASONS = [GATE_LOADING, GATE_LOG, GATE_SNAPSHOT];

describe('the gate', () => {
  it('is open at first', () => {
    const gate = new Int32Array(createGateBuffer());
    expect(gateReasons(gate)).toBe(0);
    expect(gateErrno(gate)).toBe(0);
  });

  it('says whether a reason is new, and whether one that goes was there', () => {
    const gate = new Int32Array(createGateBuffer());
    for (const reason of REASONS) {
      expect(openGate(gate, reason)).toBe(false);
      expect(closeGate(gate, reason)).toBe(true);
      expect(closeGate(gate, reason)).toBe(false);
      expect(openGate(gate, reason)).toBe(true);
      expect(openGate(gate, reason)).toBe(false);
      expect(gateReasons(gate)).toBe(0);
    }
  });

  it('keeps the other reasons, whichever come and go', () => {
    const gate = new Int32Array(createGateBuffer());
    for (let before = 0; before < 8; before += 1) {
      for (const reason of REASONS) {
        gate[0] = before;
        expect(closeGate(gate, reason)).toBe((before & reason) === 0);
        expect(gateReasons(gate)).toBe(before | reason);
        gate[0] = before;
        expect(openGate(gate, reason)).toBe((before & reason) !== 0);
        expect(gateReasons(gate)).toBe(before & ~reason);
      }
    }
  });

  it('keeps the error of the log, the latest one, and takes none of other reasons', () => {
    const gate = new Int32Array(createGateBuffer());
    closeGate(gate, GATE_LOG, -28);
    closeGate(gate, GATE_SNAPSHOT, -5);
    closeGate(gate, GATE_LOADING, -5);
    expect(gateErrno(gate)).toBe(-28);
    closeGate(gate, GATE_LOG, -5);
    expect(gateErrno(gate)).toBe(-5);
    closeGate(gate, GATE_LOG);
    expect(gateErrno(gate)).toBe(0);
  });

  it('is one for all threads that map its memory', () => {
    const buffer = createGateBuffer();
    closeGate(new Int32Array(buffer), GATE_LOG, -28);
    expect(gateReasons(new Int32Array(buffer))).toBe(GATE_LOG);
    expect(gateErrno(new Int32Array(buffer))).toBe(-28);
  });
});
