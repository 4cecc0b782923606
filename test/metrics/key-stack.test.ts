/** The stack of tracked keys against a plain list. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  addKey,
  bytesAbove,
  clearKeyStack,
  createKeyStack,
  dropKey,
  findKey,
  isTracked,
  type KeyStack,
  NO_KEY,
  oldestKey,
  useKey,
} from '../../src/metrics/key-stack.ts';

/** The plain model: the oldest first. */
type Model = { low: number; high: number; bytes: number }[];

function expectSame(stack: KeyStack, model: Model): void {
  expect(stack.count).toBe(model.length);
  expect(stack.totalBytes).toBe(model.reduce((sum, { bytes }) => sum + bytes, 0));
  let above = stack.totalBytes;
  for (const { low, high, bytes } of model) {
    const key = findKey(stack, low, high);
    expect(key).not.toBe(NO_KEY);
    expect(isTracked(stack, key)).toBe(true);
    above -= bytes;
    expect(bytesAbove(stack, key)).toBe(above);
  }
  const oldest = oldestKey(stack);
  expect(oldest).toBe(model.length === 0 ? NO_KEY : findKey(stack, model[0].low, model[0].high));
}

/** Uses a key in both, or adds it. */
function use(stack: KeyStack, model: Model, low: number, high: number, bytes: number): void {
  const at = model.findIndex((entry) => entry.low === low && entry.high === high);
  const key = findKey(stack, low, high);
  expect(key === NO_KEY).toBe(at < 0);
  if (at >= 0) model.splice(at, 1);
  model.push({ low, high, bytes });
  if (key === NO_KEY) addKey(stack, low, high, bytes);
  else useKey(stack, key, bytes);
}

function remove(stack: KeyStack, model: Model, low: number, high: number): void {
  const at = model.findIndex((entry) => entry.low === low && entry.high === high);
  if (at < 0) return;
  model.splice(at, 1);
  dropKey(stack, findKey(stack, low, high));
}

test('every order of uses of three keys is kept, with the bytes above each', () => {
  const keys = [1, 2, 3];
  for (let order = 0; order < 3 ** 6; order += 1) {
    const stack = createKeyStack(4);
    const model: Model = [];
    for (let step = 0, rest = order; step < 6; step += 1, rest = Math.floor(rest / 3)) {
      const key = keys[rest % 3];
      use(stack, model, key, 0, key * 10 ** step);
    }
    expectSame(stack, model);
  }
});

test('keys with equal halves of a hash are told apart', () => {
  const stack = createKeyStack(8);
  const model: Model = [];
  for (const [low, high] of [
    [5, 1],
    [5, 2],
    [6, 1],
    [-5, 1],
    [5, -1],
  ])
    use(stack, model, low, high, 10);
  expectSame(stack, model);
  remove(stack, model, 5, 1);
  expectSame(stack, model);
  expect(findKey(stack, 5, 1)).toBe(NO_KEY);
});

test('any uses and removals, many times round the positions, agree with a list', () => {
  const steps = fc.array(
    fc.record({ low: fc.integer({ min: 0, max: 40 }), bytes: fc.nat(1000), removes: fc.boolean() }),
    { minLength: 100, maxLength: 600 },
  );
  fc.assert(
    fc.property(steps, (all) => {
      const stack = createKeyStack(16);
      const model: Model = [];
      for (const { low, bytes, removes } of all) {
        // A multiple of the places: all keys want the same one.
        if (removes || (model.length === 16 && findKey(stack, low * 64, low) === NO_KEY)) {
          remove(stack, model, low * 64, low);
        } else use(stack, model, low * 64, low, bytes);
        const oldest = oldestKey(stack);
        expect(oldest === NO_KEY ? undefined : stack.high[oldest]).toBe(model[0]?.high);
      }
      expectSame(stack, model);
    }),
    { numRuns: 60 },
  );
});

test('a cleared stack is empty and takes as many keys again', () => {
  const stack = createKeyStack(8);
  for (let round = 0; round < 3; round += 1) {
    const model: Model = [];
    for (let key = 0; key < 8; key += 1) use(stack, model, key, round, 5);
    expectSame(stack, model);
    clearKeyStack(stack);
    expectSame(stack, []);
  }
});
