/**
 * Circuit breakers: after some failures in a row the callers are refused at once, and a few probes find out when it works
 * again. Their state lies in shared memory, several in one array, and any thread may ask and tell any of them.
 *
 *             failures in a row                  delay is over
 *   ┌────────┐ ──────────────► ┌────────┐ ───────────────────► ┌───────────┐
 *   │ closed │                 │  open  │                      │ half-open │ lets a few probes through
 *   └────────┘                 └────────┘ ◄─────────────────── └───────────┘
 *        ▲                              a failure: longer delay      │
 *        └───────────────────────────────────────────────────────────┘ a success
 *
 * Times are milliseconds of one monotonic clock that all threads share; performance.now() begins anew in every thread.
 * Source: Nygard, "Release It!" (Pragmatic Bookshelf, 2007), section 5.2.
 */
import { assert } from '../base/assert.ts';

/**
 * One breaker, in 32-bit words:
 *
 *     0         1           2          3
 *  ┌─────────┬───────────┬──────────┬──────────┐
 *  │ WORD    │ FAILURES  │ SINCE    │ SINCE    │
 *  │         │ in a row  │ s        │ ms       │
 *  └─────────┴───────────┴──────────┴──────────┘
 *
 * WORD: state 2 bits | probes left 8 | openings in a row 5 | generation 16. It changes by compare-exchange only, and never
 * back to what it was, so no two threads make the same step. SINCE, when it opened or last gave out probes, is written
 * just before; whoever reads it torn is some seconds early or late with a probe, and no harm is done.
 */
const WORD = 0;
const FAILURES = 1;
const SINCE_SECONDS = 2;
const SINCE_MS = 3;
/** Words of one breaker. */
export const BREAKER_WORDS = 4;

const STATE_MASK = 0b11;
const CLOSED = 0;
const OPEN = 1;
const HALF_OPEN = 2;
const STATE_NAMES = ['closed', 'open', 'half-open'] as const;

const PROBES_SHIFT = 2;
const PROBES_MASK = 0xff;
const OPENINGS_SHIFT = 10;
const OPENINGS_MASK = 0x1f;
const GENERATION_SHIFT = 15;
const GENERATION_MASK = 0xffff;

assert(
  OPENINGS_SHIFT > PROBES_SHIFT && PROBES_MASK < 1 << (OPENINGS_SHIFT - PROBES_SHIFT),
  'probes have their bits',
);
assert(OPENINGS_MASK < 1 << (GENERATION_SHIFT - OPENINGS_SHIFT), 'openings have their bits');
assert(GENERATION_MASK * 2 ** GENERATION_SHIFT < 2 ** 31, 'the word is a positive 32-bit number');

const MS_PER_SECOND = 1000;

/** What `allow` answers. */
export const REFUSED = 0;
export const ADMITTED = 1;
/** The same for this file: what a module exports it reads from memory each time, what it keeps to itself is compiled in. */
const YES = ADMITTED;
/** Admitted as one of the probes of a half-open breaker. */
export const PROBE = 2;

export type BreakerSettings = {
  /** Failures in a row that open it. */
  readonly failuresMax: number;
  /** How long it refuses all, the first time, and how long at most after it has doubled with each failed probe. */
  readonly resetMs: number;
  readonly resetMsMax: number;
  /** Probes let through at a time, up to 255; as many again when they were not heard of for the delay. */
  readonly probesMax: number;
};

/** One thread's view of a breaker: of its own words only. */
export type CircuitBreaker = {
  readonly words: Int32Array;
  readonly settings: BreakerSettings;
};

/** The breaker whose words begin at `at` of shared memory; zeros are a closed one. All threads give the same settings. */
export function openCircuitBreaker(words: Int32Array, at: number, settings: BreakerSettings): CircuitBreaker {
  assert(at >= 0 && at + BREAKER_WORDS <= words.length, 'a breaker lies within its array');
  assert(settings.failuresMax >= 1, 'a breaker opens after a failure at the earliest');
  assert(settings.probesMax >= 1 && settings.probesMax <= PROBES_MASK, 'probes fit in their bits');
  assert(settings.resetMs <= settings.resetMsMax, 'the delay only grows');
  return { words: words.subarray(at, at + BREAKER_WORDS), settings };
}

/**
 * Whether a call may be tried: REFUSED (0), ADMITTED or PROBE, whose outcome must be told. Costs one load while closed.
 */
export function allow(breaker: CircuitBreaker, nowMs: number): number {
  // A plain load: Atomics.load is a call of some 10 ns. It may be an instant late, as any answer is when it is used.
  const word = breaker.words[WORD];
  return (word & STATE_MASK) === CLOSED ? YES : takeProbe(breaker, word, nowMs);
}

/** Whether `allow` would admit a call; takes no probe. */
export function admits({ words, settings }: CircuitBreaker, nowMs: number): boolean {
  const word = Atomics.load(words, WORD);
  const isClosed = (word & STATE_MASK) === CLOSED;
  return isClosed || probesOf(word) > 0 || delayLeftMs(words, settings, word, nowMs) <= 0;
}

/** In how many milliseconds an open breaker lets the next probe through; 0 where calls are admitted. */
export function retryInMs(breaker: CircuitBreaker, nowMs: number): number {
  const { words, settings } = breaker;
  if (admits(breaker, nowMs)) return 0;
  return Math.max(0, delayLeftMs(words, settings, Atomics.load(words, WORD), nowMs));
}

/** Tells a success. True when it closed the breaker, half-open until then. */
export function recordSuccess({ words }: CircuitBreaker): boolean {
  const word = Atomics.load(words, WORD);
  const state = word & STATE_MASK;
  // A call that was admitted before it opened says nothing of now.
  if (state === OPEN) return false;
  if (Atomics.load(words, FAILURES) !== 0) Atomics.store(words, FAILURES, 0);
  return state === HALF_OPEN && replaceWord(words, word, CLOSED, 0, 0);
}

/** Tells a failure. True when it opened the breaker, closed or half-open until then. */
export function recordFailure(breaker: CircuitBreaker, nowMs: number): boolean {
  const { words, settings } = breaker;
  const word = Atomics.load(words, WORD);
  const state = word & STATE_MASK;
  if (state === OPEN) return false;
  if (state === HALF_OPEN) {
    const openings = Math.min(openingsOf(word) + 1, OPENINGS_MASK);
    setSince(words, nowMs);
    return replaceWord(words, word, OPEN, 0, openings);
  }
  if (Atomics.add(words, FAILURES, 1) + 1 < settings.failuresMax) return false;
  setSince(words, nowMs);
  return replaceWord(words, word, OPEN, 0, 0);
}

/** Tells that calls succeed, as somebody has found who asked without being admitted. True when that closed it. */
export function closeCircuit({ words }: CircuitBreaker): boolean {
  for (;;) {
    const word = Atomics.load(words, WORD);
    if ((word & STATE_MASK) === CLOSED) return false;
    Atomics.store(words, FAILURES, 0);
    if (replaceWord(words, word, CLOSED, 0, 0)) return true;
  }
}

/** `closed`, `open` or `half-open`, for logs and metrics. An open one whose delay is over stays so until somebody asks. */
export function stateName({ words }: CircuitBreaker): (typeof STATE_NAMES)[number] {
  return STATE_NAMES[Atomics.load(words, WORD) & STATE_MASK];
}

function takeProbe({ words, settings }: CircuitBreaker, seen: number, nowMs: number): number {
  for (let word = seen; ; word = Atomics.load(words, WORD)) {
    if ((word & STATE_MASK) === CLOSED) return ADMITTED;
    const openings = openingsOf(word);
    const probes = probesOf(word);
    if (probes > 0) {
      if (replaceWord(words, word, HALF_OPEN, probes - 1, openings)) return PROBE;
      continue;
    }
    if (delayLeftMs(words, settings, word, nowMs) > 0) return REFUSED;
    setSince(words, nowMs);
    if (replaceWord(words, word, HALF_OPEN, settings.probesMax - 1, openings)) return PROBE;
  }
}

function replaceWord(
  words: Int32Array,
  word: number,
  state: number,
  probes: number,
  openings: number,
): boolean {
  const generation = ((word >>> GENERATION_SHIFT) + 1) & GENERATION_MASK;
  const next =
    state | (probes << PROBES_SHIFT) | (openings << OPENINGS_SHIFT) | (generation << GENERATION_SHIFT);
  return Atomics.compareExchange(words, WORD, word, next) === word;
}

/** How much is left of the delay after which it gives out probes. */
function delayLeftMs(words: Int32Array, settings: BreakerSettings, word: number, nowMs: number): number {
  const sinceMs = Atomics.load(words, SINCE_SECONDS) * MS_PER_SECOND + Atomics.load(words, SINCE_MS);
  return Math.min(settings.resetMs * 2 ** openingsOf(word), settings.resetMsMax) - (nowMs - sinceMs);
}

function probesOf(word: number): number {
  return (word >>> PROBES_SHIFT) & PROBES_MASK;
}

function openingsOf(word: number): number {
  return (word >>> OPENINGS_SHIFT) & OPENINGS_MASK;
}

function setSince(words: Int32Array, nowMs: number): void {
  const seconds = Math.floor(nowMs / MS_PER_SECOND);
  Atomics.store(words, SINCE_SECONDS, seconds);
  Atomics.store(words, SINCE_MS, Math.floor(nowMs - seconds * MS_PER_SECOND));
}
