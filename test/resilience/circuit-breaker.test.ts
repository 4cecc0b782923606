/** The circuit breaker: its states, its bounds, and threads that race for its probes. */
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ADMITTED,
  admits,
  allow,
  BREAKER_WORDS,
  type BreakerSettings,
  type CircuitBreaker,
  closeCircuit,
  openCircuitBreaker,
  PROBE,
  REFUSED,
  recordFailure,
  recordSuccess,
  retryInMs,
  stateName,
} from '../../src/resilience/circuit-breaker.ts';
import type { Race } from '../support/breaker-racer.ts';

const SETTINGS: BreakerSettings = { failuresMax: 5, resetMs: 1000, resetMsMax: 1000, probesMax: 1 };
/** Any time will do, and one that has no round number of seconds. */
const START_MS = 86_400_123.75;

function createBreaker(settings: Partial<BreakerSettings> = {}): CircuitBreaker {
  return openCircuitBreaker(wordsFor(1), 0, { ...SETTINGS, ...settings });
}

function wordsFor(breakers: number): Int32Array {
  return new Int32Array(new SharedArrayBuffer(breakers * BREAKER_WORDS * Int32Array.BYTES_PER_ELEMENT));
}

function fail(breaker: CircuitBreaker, times: number, nowMs = START_MS): boolean[] {
  return Array.from({ length: times }, () => recordFailure(breaker, nowMs));
}

function openedBreaker(settings: Partial<BreakerSettings> = {}): CircuitBreaker {
  const breaker = createBreaker(settings);
  fail(breaker, breaker.settings.failuresMax);
  return breaker;
}

describe('the breaker of the original', () => {
  it('closed, it allows', () => {
    const breaker = createBreaker();
    expect(stateName(breaker)).toBe('closed');
    expect(allow(breaker, START_MS)).toBe(ADMITTED);
  });

  it('opens after so many failures', () => {
    const breaker = createBreaker();
    expect(fail(breaker, 4)).toEqual([false, false, false, false]);
    expect(allow(breaker, START_MS)).toBe(ADMITTED);
    expect(recordFailure(breaker, START_MS)).toBe(true);
    expect(stateName(breaker)).toBe('open');
    expect(allow(breaker, START_MS)).toBe(REFUSED);
  });

  it('is half-open after the timeout', () => {
    const breaker = openedBreaker();
    expect(allow(breaker, START_MS + 999)).toBe(REFUSED);
    expect(stateName(breaker)).toBe('open');
    expect(allow(breaker, START_MS + 1000)).toBe(PROBE);
    expect(stateName(breaker)).toBe('half-open');
  });

  it('is closed by a success, and counts from nothing again', () => {
    const breaker = openedBreaker();
    allow(breaker, START_MS + 1000);
    expect(recordSuccess(breaker)).toBe(true);
    expect(stateName(breaker)).toBe('closed');
    expect(allow(breaker, START_MS + 1000)).toBe(ADMITTED);
    expect(fail(breaker, 5)).toEqual([false, false, false, false, true]);
  });
});

describe('a closed breaker', () => {
  it('counts failures in a row only: 4, then 1000 successes, then 1 leave it closed', () => {
    const breaker = createBreaker();
    fail(breaker, 4);
    for (let count = 0; count < 1000; count += 1) expect(recordSuccess(breaker)).toBe(false);
    fail(breaker, 1);
    expect(stateName(breaker)).toBe('closed');
    fail(breaker, 4);
    expect(stateName(breaker)).toBe('open');
  });

  it('may be told to open at the first failure', () => {
    const breaker = createBreaker({ failuresMax: 1 });
    expect(recordFailure(breaker, START_MS)).toBe(true);
    expect(allow(breaker, START_MS)).toBe(REFUSED);
  });
});

describe('an open breaker', () => {
  it('is not kept open by failures that come late, nor closed by successes', () => {
    const breaker = openedBreaker();
    expect(recordFailure(breaker, START_MS + 900)).toBe(false);
    expect(recordSuccess(breaker)).toBe(false);
    expect(stateName(breaker)).toBe('open');
    expect(allow(breaker, START_MS + 1000)).toBe(PROBE);
  });

  it('refuses whoever looked at the clock before it opened', () => {
    expect(allow(openedBreaker(), START_MS - 500)).toBe(REFUSED);
  });

  it('admits a probe however long nobody asked', () => {
    for (const days of [1, 25, 30, 49.7, 60, 10_000]) {
      expect(allow(openedBreaker(), START_MS + days * 86_400_000)).toBe(PROBE);
    }
  });
});

describe('a half-open breaker', () => {
  it('admits no more than its probes', () => {
    for (const probesMax of [1, 2, 255]) {
      const breaker = openedBreaker({ probesMax });
      const answers = Array.from({ length: 300 }, () => allow(breaker, START_MS + 1000));
      expect(answers.filter((answer) => answer === PROBE)).toHaveLength(probesMax);
      expect(answers.slice(probesMax)).toEqual(Array.from({ length: 300 - probesMax }, () => REFUSED));
    }
  });

  it('opens again with a failed probe, for the whole time from then', () => {
    const breaker = openedBreaker({ probesMax: 3 });
    allow(breaker, START_MS + 1500);
    expect(recordFailure(breaker, START_MS + 1600)).toBe(true);
    expect(stateName(breaker)).toBe('open');
    expect(allow(breaker, START_MS + 2599)).toBe(REFUSED);
    expect(allow(breaker, START_MS + 2600)).toBe(PROBE);
  });

  it('waits twice as long after each failed probe, up to the bound, and as at first once it was closed', () => {
    const breaker = openedBreaker({ resetMsMax: 5000 });
    let nowMs = START_MS;
    for (const delayMs of [1000, 2000, 4000, 5000, 5000]) {
      expect(allow(breaker, nowMs + delayMs - 1)).toBe(REFUSED);
      expect(allow(breaker, nowMs + delayMs)).toBe(PROBE);
      nowMs += delayMs;
      recordFailure(breaker, nowMs);
    }
    expect(allow(breaker, nowMs + 5000)).toBe(PROBE);
    recordSuccess(breaker);
    fail(breaker, 5, nowMs);
    expect(allow(breaker, nowMs + 1000)).toBe(PROBE);
  });

  it('doubles no further than there are bits for it', () => {
    const breaker = openedBreaker({ resetMs: 1, resetMsMax: 10 });
    for (let round = 1; round <= 100; round += 1) {
      expect(allow(breaker, START_MS + round * 10)).toBe(PROBE);
      expect(recordFailure(breaker, START_MS + round * 10)).toBe(true);
    }
    expect(allow(breaker, START_MS + 1009)).toBe(REFUSED);
  });

  it('admits other probes when nothing is heard of the first', () => {
    const breaker = openedBreaker({ probesMax: 2 });
    expect(allow(breaker, START_MS + 1000)).toBe(PROBE);
    expect(allow(breaker, START_MS + 1000)).toBe(PROBE);
    expect(allow(breaker, START_MS + 1999)).toBe(REFUSED);
    expect(allow(breaker, START_MS + 2000)).toBe(PROBE);
    expect(allow(breaker, START_MS + 2000)).toBe(PROBE);
    expect(allow(breaker, START_MS + 2000)).toBe(REFUSED);
  });

  it('is opened or closed by the first that reports', () => {
    const failed = openedBreaker({ probesMax: 2 });
    allow(failed, START_MS + 1000);
    allow(failed, START_MS + 1000);
    expect(recordFailure(failed, START_MS + 1001)).toBe(true);
    expect(recordSuccess(failed)).toBe(false);
    expect(stateName(failed)).toBe('open');
    const mended = openedBreaker({ probesMax: 2 });
    allow(mended, START_MS + 1000);
    allow(mended, START_MS + 1000);
    expect(recordSuccess(mended)).toBe(true);
    expect(recordFailure(mended, START_MS + 1001)).toBe(false);
    expect(stateName(mended)).toBe('closed');
  });
});

describe('breakers in one array', () => {
  it('do not know of one another', () => {
    const words = wordsFor(3);
    const breakers = [0, 1, 2].map((index) => openCircuitBreaker(words, index * BREAKER_WORDS, SETTINGS));
    fail(breakers[1], 5);
    expect(breakers.map(stateName)).toEqual(['closed', 'open', 'closed']);
    const sameBreaker = openCircuitBreaker(words, BREAKER_WORDS, SETTINGS);
    expect(allow(sameBreaker, START_MS + 1000)).toBe(PROBE);
    expect(breakers.map(stateName)).toEqual(['closed', 'half-open', 'closed']);
  });

  it('must lie in it, and have sane settings', () => {
    expect(() => openCircuitBreaker(wordsFor(1), 1, SETTINGS)).toThrow('assertion failed');
    for (const wrong of [{ failuresMax: 0 }, { probesMax: 0 }, { probesMax: 256 }, { resetMsMax: 999 }]) {
      expect(() => createBreaker(wrong)).toThrow('assertion failed');
    }
  });
});

/** The breaker in the plainest words. */
type Model = { state: string; failures: number; sinceMs: number; delayMs: number; probes: number };

function askModel(model: Model, { resetMs, probesMax }: BreakerSettings, nowMs: number): number {
  if (model.state === 'closed') return ADMITTED;
  if (model.probes === 0) {
    if (nowMs - model.sinceMs < Math.max(resetMs, model.delayMs)) return REFUSED;
    Object.assign(model, { state: 'half-open', probes: probesMax, sinceMs: nowMs });
  }
  model.probes -= 1;
  return PROBE;
}

function tellModel(model: Model, settings: BreakerSettings, isSuccess: boolean, nowMs: number): boolean {
  if (model.state === 'open') return false;
  if (isSuccess) {
    const isClosing = model.state === 'half-open';
    Object.assign(model, { state: 'closed', failures: 0, probes: 0, delayMs: settings.resetMs });
    return isClosing;
  }
  model.failures += 1;
  if (model.state === 'closed' && model.failures < settings.failuresMax) return false;
  if (model.state === 'half-open') model.delayMs = Math.min(model.delayMs * 2, settings.resetMsMax);
  Object.assign(model, { state: 'open', probes: 0, sinceMs: nowMs });
  return true;
}

it('does what its description says, in any order of questions, outcomes and time', () => {
  const settings = { failuresMax: 2, resetMs: 8, resetMsMax: 50, probesMax: 2 };
  const step = fc.record({ deed: fc.constantFrom('ask', 'succeed', 'fail', 'fail'), passMs: fc.nat(20) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const breaker = createBreaker(settings);
      const model: Model = { state: 'closed', failures: 0, sinceMs: 0, delayMs: settings.resetMs, probes: 0 };
      let nowMs = 995;
      for (const { deed, passMs } of steps) {
        nowMs += passMs;
        if (deed === 'ask') expect(allow(breaker, nowMs)).toBe(askModel(model, settings, nowMs));
        else if (deed === 'succeed') {
          expect(recordSuccess(breaker)).toBe(tellModel(model, settings, true, nowMs));
        } else expect(recordFailure(breaker, nowMs)).toBe(tellModel(model, settings, false, nowMs));
        expect(stateName(breaker)).toBe(model.state);
      }
    }),
    { numRuns: 500 },
  );
});

it.each([1, 3])('threads that race for %d probes get so many, every time', async (probesMax) => {
  const race: Race = {
    words: wordsFor(1),
    signal: new Int32Array(new SharedArrayBuffer(3 * Int32Array.BYTES_PER_ELEMENT)),
    settings: { ...SETTINGS, failuresMax: 1, probesMax },
    rounds: 400,
    msPerRound: 10_000,
  };
  const { signal } = race;
  const breaker = openCircuitBreaker(race.words, 0, race.settings);
  recordFailure(breaker, 0);
  const threads = Array.from(
    { length: 4 },
    () => new Worker(new URL('../support/breaker-racer.ts', import.meta.url), { workerData: race }),
  );
  const broken = Promise.race(
    threads.map((thread) => new Promise((_, reject) => thread.once('error', reject))),
  );
  for (let round = 1; round <= race.rounds; round += 1) {
    Atomics.store(signal, 1, 0);
    Atomics.store(signal, 2, 0);
    Atomics.store(signal, 0, round);
    Atomics.notify(signal, 0);
    for (let done = Atomics.load(signal, 1); done < threads.length; done = Atomics.load(signal, 1)) {
      await Promise.race([broken, Atomics.waitAsync(signal, 1, done, 1000).value]);
    }
    expect(Atomics.load(signal, 2)).toBe(probesMax);
    expect(stateName(breaker)).toBe('half-open');
    if (round % 2 === 0) recordFailure(breaker, round * race.msPerRound);
  }
  await Promise.all(threads.map((thread) => thread.terminate()));
});

describe('a look at the breaker', () => {
  it('says when the next probe may go, and takes none', () => {
    const breaker = openedBreaker();
    expect([admits(breaker, START_MS + 400), Math.ceil(retryInMs(breaker, START_MS + 400))]).toEqual([
      false,
      600,
    ]);
    const laterMs = START_MS + 1000;
    expect([admits(breaker, laterMs), retryInMs(breaker, laterMs)]).toEqual([true, 0]);
    expect(stateName(breaker)).toBe('open');
    expect(allow(breaker, laterMs)).toBe(PROBE);
    expect([admits(breaker, laterMs), Math.ceil(retryInMs(breaker, laterMs))]).toEqual([false, 1000]);
    recordSuccess(breaker);
    expect([admits(breaker, laterMs), retryInMs(breaker, laterMs)]).toEqual([true, 0]);
  });

  it('agrees with allow, whatever has happened before', () => {
    const step = fc.oneof(
      fc.constant('fail' as const),
      fc.constant('succeed' as const),
      fc.constant('ask' as const),
      fc.nat(3000),
    );
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const breaker = createBreaker({ failuresMax: 2, probesMax: 2, resetMsMax: 4000 });
        let nowMs = START_MS;
        for (const kind of steps) {
          if (typeof kind === 'number') nowMs += kind;
          else if (kind === 'fail') recordFailure(breaker, nowMs);
          else if (kind === 'succeed') recordSuccess(breaker);
          else {
            const isAdmitted = admits(breaker, nowMs);
            expect(retryInMs(breaker, nowMs) === 0).toBe(isAdmitted);
            expect(allow(breaker, nowMs) !== REFUSED).toBe(isAdmitted);
          }
        }
      }),
    );
  });
});

describe('somebody who knows that it works', () => {
  it('closes it at once, open or half-open, and its failures are forgotten', () => {
    for (const asksFirst of [false, true]) {
      const breaker = openedBreaker();
      if (asksFirst) expect(allow(breaker, START_MS + 1000)).toBe(PROBE);
      expect(closeCircuit(breaker)).toBe(true);
      expect(stateName(breaker)).toBe('closed');
      expect(fail(breaker, 5)).toEqual([false, false, false, false, true]);
    }
  });

  it('has nothing to close where it is closed', () => {
    expect(closeCircuit(createBreaker())).toBe(false);
  });
});
