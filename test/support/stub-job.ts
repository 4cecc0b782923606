/**
 * Jobs for the tests of the pool: one that works, one that waits for a gate, and those that go wrong.
 */
import { endThread } from '../../src/base/platform.ts';

export function double(input: number): number {
  return 2 * input;
}

/** Ends when the gate, a word of shared memory, is no longer 0. */
export function hold(gate: Int32Array): string {
  Atomics.wait(gate, 0, 0);
  return 'held';
}

export function fail(text: string): never {
  throw new Error(text);
}

export function die(): never {
  return endThread(3);
}

export function spin(started: Int32Array): never {
  Atomics.store(started, 0, 1);
  for (;;);
}
