/** The job pool with real threads that run a stub entry (test/support/stub-job.ts), then its real job, then the real server. */
import { Buffer } from 'node:buffer';
import { afterEach, describe, expect, it } from 'vitest';
import { PLACES } from '../../src/base/places.ts';
import type { JobOutcome } from '../../src/commands/engine.ts';
import { TOPIC_JOB_SUBSEQUENCE } from '../../src/commands/strings-lcs.ts';
import { findSubsequence, type Subsequence } from '../../src/commands/strings-subsequence.ts';
import { MAIN_THREAD_ID } from '../../src/threads/boot.ts';
import { createBus, requestFrom } from '../../src/threads/bus.ts';
import { createJobs, type Jobs, jobThreads, runJob, serveJobs, stopJobs } from '../../src/threads/jobs.ts';
import { type DistcacheServer, startDistcache, WITHOUT_HTTP } from '../support/distcache-server.ts';
import { connectClient } from '../support/resp-client.ts';

const STUB = new URL('../support/stub-job.ts', import.meta.url);
const STOP_MS_MAX = 1_000;
const BUSY = { ok: false, reason: 'too many jobs wait, try again later' };
const FAILED = { ok: false, reason: 'the job failed; the log has the reason' };
const STOPPING = { ok: false, reason: 'the server is stopping' };

let pools: Jobs[] = [];
let server: DistcacheServer | undefined;
let logged: string[] = [];

afterEach(async () => {
  await Promise.all(pools.map((jobs) => stopJobs(jobs, STOP_MS_MAX)));
  server?.kill('SIGKILL');
  await server?.exit;
  pools = [];
  server = undefined;
  logged = [];
});

function open({ entry = STUB, threadsMax = 1, waitingMax = 8 } = {}): Jobs {
  const log = {
    error: (text: string, error: unknown) => void logged.push(`${text}: ${(error as Error).message}`),
  };
  const jobs = createJobs({ entry, threadsMax, waitingMax, log });
  pools.push(jobs);
  return jobs;
}

const word = () => new Int32Array(new SharedArrayBuffer(4));

function openGate(gate: Int32Array): void {
  Atomics.store(gate, 0, 1);
  Atomics.notify(gate, 0);
}

describe('the job pool', () => {
  it('has no thread before the first job, and half as many as processors at the most', async () => {
    const jobs = open();
    expect(jobs.pool.threads).toHaveLength(0);
    expect(await runJob(jobs, 'double', 21)).toEqual({ ok: true, result: 42 });
    expect(jobs.pool.threads).toHaveLength(1);
    expect(jobThreads()).toBeGreaterThanOrEqual(1);
  });

  it('refuses more jobs than may wait, and takes them again when there is room', async () => {
    const jobs = open({ threadsMax: 1, waitingMax: 2 });
    const gate = word();
    // The first one starts a thread; from then on one runs and two wait.
    await runJob(jobs, 'double', 1);
    const taken = [1, 2, 3].map(() => runJob(jobs, 'hold', gate));
    expect(await runJob(jobs, 'double', 1)).toEqual(BUSY);
    openGate(gate);
    expect(await Promise.all(taken)).toEqual(taken.map(() => ({ ok: true, result: 'held' })));
    expect(await runJob(jobs, 'double', 1)).toEqual({ ok: true, result: 2 });
  });

  it('bounds what waits for the first threads too', async () => {
    const jobs = open({ threadsMax: 2, waitingMax: 1 });
    const outcomes = await Promise.all([1, 2, 3, 4].map((input) => runJob(jobs, 'double', input)));
    expect(outcomes).toEqual([...[2, 4, 6].map((result) => ({ ok: true, result })), BUSY]);
  });

  it('tells of a job that throws, and goes on', async () => {
    const jobs = open();
    expect(await runJob(jobs, 'fail', 'as planned')).toEqual(FAILED);
    expect(logged).toEqual(["the job 'fail' failed: as planned"]);
    expect(await runJob(jobs, 'double', 4)).toEqual({ ok: true, result: 8 });
  });

  it('tells of a job that ends its thread, refuses what waits behind it, and goes on', async () => {
    const jobs = open();
    const outcomes = await Promise.all([runJob(jobs, 'die', null), runJob(jobs, 'double', 1)]);
    expect(outcomes).toEqual([FAILED, FAILED]);
    expect(logged[0]).toBe("the job 'die' failed: worker exited with code: 3");
    expect(await runJob(jobs, 'double', 4)).toEqual({ ok: true, result: 8 });
  });

  it('refuses jobs that it does not have, and all where the entry cannot be loaded', async () => {
    expect(await runJob(open(), 'nonsense', null)).toEqual(FAILED);
    const jobs = open({ entry: new URL('./none.ts', STUB) });
    expect(await Promise.all([1, 2].map((input) => runJob(jobs, 'double', input)))).toEqual([FAILED, FAILED]);
    expect(logged.join('\n')).toContain('a thread of the job pool failed');
  });

  it('stops at once while a job runs and another waits, and takes no more', async () => {
    const jobs = open();
    const started = word();
    const outcomes = [runJob(jobs, 'spin', started), runJob(jobs, 'double', 1)];
    await expect.poll(() => Atomics.load(started, 0), { interval: 1 }).toBe(1);
    await stopJobs(jobs, STOP_MS_MAX);
    expect(jobs.pool.threads).toHaveLength(0);
    expect(await Promise.all(outcomes)).toEqual([STOPPING, STOPPING]);
    expect(await runJob(jobs, 'double', 1)).toEqual(STOPPING);
    expect(jobs.pool.threads).toHaveLength(0);
    expect(logged).toEqual([]);
  });

  it('finds subsequences as this thread does, in shared memory or not', async () => {
    const bus = createBus(MAIN_THREAD_ID, (text) => void logged.push(text), []);
    serveJobs(open({ entry: PLACES.workerEntry('job') }), bus);
    const shared = Buffer.from(new SharedArrayBuffer(3000));
    for (let i = 0; i < shared.length; i += 1) shared[i] = 97 + ((i * i) % 7);
    const own = Buffer.from('abcdefg'.repeat(300));
    for (const wantsPlaces of [true, false]) {
      const request = {
        first: { bytes: shared, start: 0, end: shared.length },
        second: { bytes: own, start: 2, end: own.length },
        wantsPlaces,
      };
      const outcome = await requestFrom<JobOutcome<Subsequence>>(
        bus,
        MAIN_THREAD_ID,
        TOPIC_JOB_SUBSEQUENCE,
        request,
      );
      expect(outcome).toEqual({ ok: true, result: findSubsequence(request) });
    }
    expect(logged).toEqual([]);
  });
});

describe('the server', () => {
  const BYTES = 60_000;

  async function startWithLargeValues(): Promise<DistcacheServer> {
    server = await startDistcache(['--workers', '1', '--proto-max-bulk-len', '1000gb', ...WITHOUT_HTTP]);
    const filling = await connectClient({ port: server.port, host: '127.0.0.1' });
    for (const key of ['a', 'b']) await filling.ask(`SETRANGE ${key} ${BYTES - 1} x`);
    filling.socket.destroy();
    return server;
  }

  it('answers other clients of the worker while a large LCS is under way', async () => {
    const { port } = await startWithLargeValues();
    const asking = await connectClient({ port, host: '127.0.0.1' });
    const other = await connectClient({ port, host: '127.0.0.1' });
    let pings = 0;
    let answer = '';
    const lcs = asking.ask('LCS a b LEN').then((reply) => {
      answer = reply;
    });
    while (answer === '') {
      expect(await other.ask('PING')).toBe('+PONG\r\n');
      pings += 1;
    }
    await lcs;
    expect(answer).toBe(`:${BYTES}\r\n`);
    expect(pings).toBeGreaterThan(100);
    for (const { socket } of [asking, other]) socket.destroy();
  });

  it('stops while a large LCS is under way', async () => {
    const running = await startWithLargeValues();
    const asking = await connectClient({ port: running.port, host: '127.0.0.1' });
    const other = await connectClient({ port: running.port, host: '127.0.0.1' });
    const cut = expect(asking.ask('LCS a b LEN')).rejects.toThrow('closed');
    await other.ask('PING');
    expect(await running.stop()).toBe(0);
    expect(running.output()).not.toContain('did not finish in time');
    await cut;
    other.socket.destroy();
  });
});
