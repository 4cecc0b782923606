/** Tests of what the data on disk says to whoever asks whether the server is ready. */
import { describe, expect, it } from 'vitest';
import { createLogBoardBuffer, openLogBoard } from '../../src/durability/log-board.ts';
import {
  createPersistenceBuffer,
  LOADING_BYTES_DONE,
  LOADING_BYTES_TOTAL,
  LOG_TROUBLED,
  SNAPSHOT_LAST_FAILED,
} from '../../src/metrics/persistence.ts';
import { closeGate, createGateBuffer, GATE_LOADING, GATE_SNAPSHOT } from '../../src/resilience/gate.ts';
import type { Persistence } from '../../src/threads/persistence.ts';
import { type Check, persistenceChecks } from '../../src/threads/readiness.ts';

function createState(onLogError = 'refuse') {
  const state = {
    gate: new Int32Array(createGateBuffer()),
    numbers: new Float64Array(createPersistenceBuffer(0)),
    board: openLogBoard(createLogBoardBuffer(1, 1), 1),
    config: { onLogError },
  };
  const check = (name: string): Check | undefined =>
    persistenceChecks(state as unknown as Persistence).find((line) => line.name === name);
  return { ...state, check };
}

describe('the checks of the data on disk', () => {
  it('are well where nothing is wrong, without a word', () => {
    const { check } = createState();
    for (const name of ['loading', 'log', 'snapshot']) {
      expect(check(name)?.ok).toBe(true);
      expect(check(name)?.detail).toBeUndefined();
    }
  });

  it('tell how far a load is', () => {
    const { check, gate, numbers } = createState();
    closeGate(gate, GATE_LOADING);
    expect(check('loading')).toMatchObject({ ok: false, reason: 'loading' });
    numbers[LOADING_BYTES_TOTAL] = 10e6;
    numbers[LOADING_BYTES_DONE] = 4.99e6;
    expect(check('loading')).toMatchObject({ ok: false, reason: 'loading, 49 % of 10 MB' });
  });

  it('tell of a log that cannot be written, but where the server serves on without it', () => {
    const refusing = createState();
    refusing.numbers[LOG_TROUBLED] = 1;
    expect(refusing.check('log')).toMatchObject({
      ok: false,
      reason: 'the log cannot be written: it is being begun anew',
    });
    const continuing = createState('continue');
    continuing.numbers[LOG_TROUBLED] = 1;
    expect(continuing.check('log')?.ok).toBe(true);
  });

  it('tell of a snapshot that failed, which matters where nothing may change until one succeeds', () => {
    const { check, gate, numbers } = createState();
    numbers[SNAPSHOT_LAST_FAILED] = 1;
    expect(check('snapshot')).toMatchObject({ ok: true, detail: 'the last one failed' });
    closeGate(gate, GATE_SNAPSHOT);
    expect(check('snapshot')).toMatchObject({
      ok: false,
      reason: 'the last snapshot failed, and nothing may change until one succeeds',
    });
  });
});
