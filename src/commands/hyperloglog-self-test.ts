/**
 * PFSELFTEST: whether registers hold what is written into them, and whether both forms count alike and about right.
 *
 * Runs on the thread of the command, of which it takes short turns while the client waits; on main, all at once. No key is touched.
 * Source: Redis 7.0 `hyperloglog.c`, `pfselftestCommand`, with fewer elements.
 */
import { Buffer } from 'node:buffer';
import { nextRandom, randomSeed } from '../base/random.ts';
import {
  addToHyperLogLog,
  beginEmpty,
  createHyperLogLog,
  type HyperLogLog,
  makeDense,
} from '../collections/hyperloglog.ts';
import { countOne } from '../collections/hyperloglog-count.ts';
import {
  denseRegister,
  ENCODING_AT,
  REGISTER_MAX,
  REGISTERS,
  SPARSE,
  writeDenseRegister,
} from '../collections/hyperloglog-layout.ts';
import { SLICED_TURN_MS } from '../config/limits.ts';
import { type ReplyWriter, writeError, writeOk } from '../resp/reply-writer.ts';
import { type Call, deferReply, type Handler } from './call.ts';

const REGISTER_CYCLES = 20;
const ELEMENTS = 1_000_000;
/** Elements that are added without a look at the clock. */
const STEP_ELEMENTS = 1000;
/** Counts are wrong by more than so many times the expected error, once in an age of the world. */
const ERRORS_MAX = 6;
const EXPECTED_ERROR = 1.04 / Math.sqrt(REGISTERS);
const ELEMENT_BYTES = 8;

/** Yields between two steps; what it has found in the end, nothing if all is well. */
type SelfTest = Generator<undefined, string | undefined>;

export const hyperLogLogSelfTestHandlers: Readonly<Record<string, Handler>> = { pfselftest };

function pfselftest(call: Call): void {
  const { engine } = call;
  const { monotonicMs } = engine.timing;
  const test = testAll(randomSeed(), engine.config.hllSparseMaxBytes);
  let step = runTurn(test, monotonicMs, engine.workerIndex < 0 ? Infinity : SLICED_TURN_MS);
  if (step.done === true) {
    replyOutcome(call.reply, step.value);
    return;
  }
  const deferred = deferReply(call);
  const goOn = (): void => {
    step = runTurn(test, monotonicMs, SLICED_TURN_MS);
    const { done, value } = step;
    if (done === true) deferred.resume((reply) => replyOutcome(reply, value));
    else engine.later(goOn);
  };
  engine.later(goOn);
}

function replyOutcome(reply: ReplyWriter, failure: string | undefined): void {
  if (failure === undefined) writeOk(reply);
  else writeError(reply, `TESTFAILED ${failure}`);
}

/** Steps until the turn's share of time is used, or until the end. */
function runTurn(
  test: SelfTest,
  monotonicMs: () => number,
  turnMs: number,
): IteratorResult<undefined, string | undefined> {
  const endMs = monotonicMs() + turnMs;
  let step = test.next();
  while (step.done !== true && monotonicMs() < endMs) step = test.next();
  return step;
}

function* testAll(seed: number, sparseBytesMax: number): SelfTest {
  return (yield* testRegisters(seed)) ?? (yield* testCounts(seed, sparseBytesMax));
}

/** Each register holds its own value, whatever its neighbours hold. */
function* testRegisters(seed: number): SelfTest {
  const { bytes } = createDense();
  const values = new Uint8Array(REGISTERS);
  let random = seed;
  for (let cycle = 0; cycle < REGISTER_CYCLES; cycle += 1) {
    for (let index = 0; index < REGISTERS; index += 1) {
      random = nextRandom(random);
      values[index] = random & REGISTER_MAX;
      writeDenseRegister(bytes, 0, index, values[index]);
    }
    for (let index = 0; index < REGISTERS; index += 1) {
      const value = denseRegister(bytes, 0, index);
      if (value !== values[index]) return `Register ${index} should be ${values[index]} but is ${value}`;
    }
    yield;
  }
  return undefined;
}

/** The same elements are added to both forms, and counted whenever there are ten times as many. */
function* testCounts(seed: number, sparseBytesMax: number): SelfTest {
  const dense = createDense();
  const sparse = createHyperLogLog();
  beginEmpty(sparse, sparseBytesMax);
  const element = Buffer.alloc(ELEMENT_BYTES);
  element.writeInt32LE(nextRandom(seed), ELEMENT_BYTES / 2);
  let checkpoint = 1;
  for (let count = 1; count <= ELEMENTS; count += 1) {
    element.writeInt32LE(count ^ seed, 0);
    addToHyperLogLog(dense, element, 0, ELEMENT_BYTES);
    addToHyperLogLog(sparse, element, 0, ELEMENT_BYTES);
    if (count % STEP_ELEMENTS === 0) yield;
    if (count !== checkpoint) continue;
    if (count < sparseBytesMax / 2 && sparse.bytes[ENCODING_AT] !== SPARSE) return 'sparse encoding not used';
    const counted = countOne(dense.bytes, 0, dense.length);
    if (counted !== countOne(sparse.bytes, 0, sparse.length)) return 'dense/sparse disagree';
    const error = Math.abs(counted - count);
    if (error > errorMax(count)) return `Too big error. card:${count} abserr:${error}`;
    checkpoint *= 10;
  }
  return undefined;
}

function createDense(): HyperLogLog {
  const sketch = createHyperLogLog();
  beginEmpty(sketch, 0);
  makeDense(sketch);
  return sketch;
}

/** Two of ten elements meet in a register often enough to be no mistake. */
function errorMax(count: number): number {
  return count === 10 ? 1 : Math.ceil(ERRORS_MAX * EXPECTED_ERROR * count);
}
