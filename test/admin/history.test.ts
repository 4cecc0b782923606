/** Tests of the ring of samples, with times that are given. */
import { describe, expect, test } from 'vitest';
import {
  addSample,
  createHistory,
  type History,
  latestSample,
  readHistory,
  SAMPLE_FIELDS,
  type SampleFigures,
} from '../../src/admin/history.ts';
import { HISTORY_BUSY_COMMANDS, HISTORY_SAMPLES_MAX } from '../../src/config/limits.ts';

const NAMES = Array.from({ length: 20 }, (_, id) => `command-${id}`);
const WALL_MS = 1_700_000_000_000;

function figuresOf(opsPerSecond: number): SampleFigures {
  const zeros = Object.fromEntries(SAMPLE_FIELDS.map((field) => [field, 0])) as SampleFigures;
  return { ...zeros, opsPerSecond };
}

/** Adds sample `index`, a second after the one before; `calls` by command id. */
function add(history: History, index: number, calls: Readonly<Record<number, number>> = {}): void {
  const counts = new Float64Array(NAMES.length);
  for (const [id, count] of Object.entries(calls)) counts[Number(id)] = count;
  const time = { monotonicMs: 1000 * (index + 1), elapsedMs: 1000 };
  addSample(history, time, figuresOf(index), counts);
}

/** The clocks when sample `index` was taken. */
function nowAt(index: number, wallMs = WALL_MS + 1000 * (index + 1)) {
  return { wallMs, monotonicMs: 1000 * (index + 1) };
}

describe('the history', () => {
  test('is empty at first', () => {
    const history = createHistory(NAMES);
    expect(readHistory(history, nowAt(0))).toEqual([]);
    expect(latestSample(history, nowAt(0))).toBeUndefined();
  });

  test('has every sample until it is full, and then the latest, the oldest first', () => {
    const history = createHistory(NAMES, 5);
    for (let index = 0; index < 13; index += 1) {
      add(history, index);
      const samples = readHistory(history, nowAt(index));
      const first = Math.max(0, index - 4);
      const expected = Array.from({ length: index - first + 1 }, (_, place) => first + place);
      expect(samples.map(({ opsPerSecond }) => opsPerSecond)).toEqual(expected);
      expect(samples.map(({ t }) => t)).toEqual(expected.map((at) => WALL_MS + 1000 * (at + 1)));
      expect(latestSample(history, nowAt(index))).toEqual(samples.at(-1));
    }
  });

  test('holds fifteen minutes', () => {
    const history = createHistory(NAMES);
    for (let index = 0; index < 2 * HISTORY_SAMPLES_MAX; index += 1) add(history, index);
    expect(readHistory(history, nowAt(0))).toHaveLength(900);
  });

  test('tells every figure under its name, in thousandths', () => {
    const history = createHistory(NAMES);
    const figures = Object.fromEntries(
      SAMPLE_FIELDS.map((field, index) => [field, index + 1 / 3]),
    ) as SampleFigures;
    addSample(history, { monotonicMs: 1, elapsedMs: 1000 }, figures, new Float64Array(NAMES.length));
    const sample = latestSample(history, nowAt(0));
    const numbers: number[] = [];
    const collect = (value: unknown): void => {
      if (typeof value === 'number') numbers.push(value);
      else for (const part of Object.values(value as object)) collect(part);
    };
    collect({ ...sample, t: {}, commands: {} });
    expect(numbers.sort((a, b) => a - b)).toEqual(SAMPLE_FIELDS.map((_, index) => index + 0.333));
    expect(sample).toMatchObject({
      latencyUs: { p50: expect.any(Number), p99: expect.any(Number), p999: expect.any(Number) },
      turnUs: { p50: expect.any(Number), max: expect.any(Number) },
      loopDelayMs: { p99: expect.any(Number) },
    });
  });

  test('has ascending times that end now, whatever the wall clock did meanwhile', () => {
    const history = createHistory(NAMES);
    for (let index = 0; index < 3; index += 1) add(history, index);
    for (const wallMs of [WALL_MS - 3_600_000, WALL_MS + 3_600_000]) {
      const times = readHistory(history, nowAt(2, wallMs)).map(({ t }) => t);
      expect(times).toEqual([wallMs - 2000, wallMs - 1000, wallMs]);
    }
  });
});

describe('the commands of a sample', () => {
  test('are the busiest of all samples by name, and the rest together', () => {
    const history = createHistory(NAMES);
    add(history, 0, Object.fromEntries(NAMES.map((_, id) => [id, id])));
    add(history, 1, { 0: 1000 });
    const [first, second] = readHistory(history, nowAt(1));
    const busy = [0, 19, 18, 17, 16, 15, 14, 13].map((id) => NAMES[id]);
    expect(busy).toHaveLength(HISTORY_BUSY_COMMANDS);
    expect(Object.keys(first.commands)).toEqual([...busy, 'other']);
    expect(Object.keys(second.commands)).toEqual([...busy, 'other']);
    expect(first.commands).toMatchObject({ 'command-0': 0, 'command-19': 19, other: (12 * 13) / 2 });
    expect(second.commands).toMatchObject({ 'command-0': 1000, 'command-19': 0, other: 0 });
  });

  test('are rates over the time that has passed', () => {
    const history = createHistory(NAMES);
    const calls = new Float64Array(NAMES.length).fill(1, 3, 4);
    addSample(history, { monotonicMs: 4000, elapsedMs: 4000 }, figuresOf(0), calls);
    expect(latestSample(history, nowAt(3))?.commands).toEqual({ 'command-3': 0.25, other: 0 });
  });

  test('are forgotten with the samples in which they were called', () => {
    const history = createHistory(NAMES, 3);
    add(history, 0, { 5: 7 });
    for (let index = 1; index < 4; index += 1) add(history, index, { 6: 1 });
    expect(readHistory(history, nowAt(3)).map(({ commands }) => commands)).toEqual([
      { 'command-6': 1, other: 0 },
      { 'command-6': 1, other: 0 },
      { 'command-6': 1, other: 0 },
    ]);
  });

  test('have memory only once they are called', () => {
    const history = createHistory(NAMES);
    add(history, 0, { 5: 7 });
    expect(history.calls.filter((column) => column !== undefined)).toHaveLength(1);
  });
});
