/** Tests of the page's line to the server, with a browser whose time and events are the test's own. */
import { beforeEach, describe, expect, test } from 'vitest';
import { retryNow, type Stream, startStream } from '../../../src/admin/dashboard/stream.js';

type Task = { run: () => void; delayMs: number };
type Source = { listeners: Map<string, (event: unknown) => void>; isClosed: boolean };

let tasks: Task[];
let sources: Source[];
let told: string[];
let answers: (() => unknown)[];

/** A browser that answers with `answers`, in order, and the last of them from then on. */
function start(): Stream {
  return startStream({
    openSource: () => {
      const source: Source = { listeners: new Map(), isClosed: false };
      sources.push(source);
      return {
        addEventListener: (type, listen) => void source.listeners.set(type, listen),
        close: () => {
          source.isClosed = true;
        },
      };
    },
    loadHistory: async () => (answers.length > 1 ? answers.shift() : answers[0])?.(),
    schedule: (run, delayMs) => {
      const task = { run, delayMs };
      tasks.push(task);
      return task;
    },
    cancel: (task) => {
      tasks = tasks.filter((other) => other !== task);
    },
    onStatus: (status) =>
      void told.push(
        status.phase === 'waiting' ? `waiting ${status.seconds}: ${status.reason}` : status.phase,
      ),
    onHistory: (samples) => void told.push(`history ${samples}`),
    onSample: (sample) => void told.push(`sample ${sample}`),
    onState: (state) => void told.push(`state ${state}`),
  });
}

/** Lets promises that are settled be heard. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
}

function emit(type: string, data = ''): void {
  sources.at(-1)?.listeners.get(type)?.({ data });
}

/** Runs the one task that waits; it is over then. */
function elapse(): number {
  const [task] = tasks.splice(0);
  task.run();
  return task.delayMs;
}

const kept = () => ({ samples: [1, 2] });
const gone = () => {
  throw new Error('the server does not answer');
};
const refused = () => {
  throw Object.assign(new Error('no'), { isRefused: true });
};

beforeEach(() => {
  tasks = [];
  sources = [];
  told = [];
  answers = [kept];
});

describe('the stream', () => {
  test('loads the history, then listens, and is live with the first event', async () => {
    start();
    await settle();
    expect(told).toEqual(['connecting', 'history 1,2']);
    emit('sample', '3');
    emit('state', '4');
    expect(told.slice(2)).toEqual(['live', 'sample 3', 'state 4']);
  });

  test('counts down in seconds when it breaks, longer with each failure', async () => {
    answers = [kept, gone, gone, kept];
    start();
    await settle();
    emit('sample', '3');
    told = [];
    emit('error');
    expect(sources[0].isClosed).toBe(true);
    expect(told).toEqual(['waiting 1: the connection was lost']);
    expect(elapse()).toBe(1000);
    await settle();
    expect(told.slice(1)).toEqual(['connecting', 'waiting 2: the server does not answer']);
    elapse();
    elapse();
    await settle();
    expect(told.at(-1)).toBe('waiting 4: the server does not answer');
  });

  test('loads the history anew when the server is back, and forgets its failures', async () => {
    answers = [gone, gone, kept];
    const stream = start();
    await settle();
    retryNow(stream);
    await settle();
    retryNow(stream);
    await settle();
    expect(told.at(-1)).toBe('history 1,2');
    emit('sample', '3');
    emit('error');
    expect(told.at(-1)).toBe('waiting 1: the connection was lost');
  });

  test('takes silence for a break', async () => {
    start();
    await settle();
    emit('sample', '3');
    expect(tasks.map(({ delayMs }) => delayMs)).toEqual([6000]);
    elapse();
    expect(told.at(-1)).toBe('waiting 1: the server is silent');
  });

  test('does not knock again where it was refused, until it is told to', async () => {
    answers = [refused, kept];
    const stream = start();
    await settle();
    expect(told).toEqual(['connecting', 'refused']);
    expect(tasks).toEqual([]);
    retryNow(stream);
    await settle();
    expect(told.at(-1)).toBe('history 1,2');
  });

  test('hears nothing from a source that it has left', async () => {
    const stream = start();
    await settle();
    const [first] = sources;
    emit('error');
    retryNow(stream);
    await settle();
    told = [];
    first.listeners.get('sample')?.({ data: '9' });
    first.listeners.get('error')?.({});
    expect(told).toEqual([]);
  });

  test('lets itself not be hurried while it is live', async () => {
    const stream = start();
    await settle();
    emit('sample', '3');
    told = [];
    retryNow(stream);
    await settle();
    expect(told).toEqual([]);
  });
});
