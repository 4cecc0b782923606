/**
 * The HTTP app over the commands of one thread, without sockets: real shards and dispatcher, and a log that a test answers for.
 */
import type { FastifyInstance } from 'fastify';
import { createAdminApp } from '../../src/admin/app.ts';
import { type CommandRunner, createCommandRunner } from '../../src/admin/command-runner.ts';
import type { AdminSources } from '../../src/admin/sources.ts';
import { createLogBoardBuffer, openLogBoard } from '../../src/durability/log-board.ts';
import { takeReading } from '../../src/metrics/reading.ts';
import { createBus, handleTopic } from '../../src/threads/bus.ts';
import { type SettleReply, type SettleRequest, TOPIC_LOG_SETTLE } from '../../src/threads/log-topics.ts';
import { createSettling } from '../../src/threads/settling.ts';
import { createHarness, type Harness, type HarnessOptions } from './harness.ts';
import { sampleSources } from './sample-reading.ts';

/** The thread of worker 0, which is this one as well; commands run as on main. */
const THREAD_ID = 2;

export type KeyApp = {
  readonly app: FastifyInstance;
  readonly harness: Harness;
  readonly runner: CommandRunner;
  /** What main has asked workers to write. */
  readonly settled: SettleRequest[];
  /** How a worker answers. */
  settle: (request: SettleRequest) => SettleReply | Promise<SettleReply>;
};

export function createKeyApp(options: HarnessOptions = {}, sources: Partial<AdminSources> = {}): KeyApp {
  const harness = createHarness(options);
  Object.assign(harness.engine, { workerIndex: -1 });
  const bus = createBus(THREAD_ID, () => undefined, []);
  const board = openLogBoard(createLogBoardBuffer(1, 1), 1);
  const runner = createCommandRunner(
    harness.engine,
    createSettling(bus, board, 1, () => 0),
  );
  const app = createAdminApp({
    reading: () => takeReading(sampleSources()),
    readiness: () => ({ ready: true, checks: [] }),
    access: harness.engine.access,
    commands: runner,
    ...sources,
  });
  const keyApp: KeyApp = { app, harness, runner, settled: [], settle: () => ({ isSafe: true, errno: 0 }) };
  handleTopic<SettleRequest>(bus, TOPIC_LOG_SETTLE, (request) => {
    keyApp.settled.push(request);
    return keyApp.settle(request);
  });
  return keyApp;
}
