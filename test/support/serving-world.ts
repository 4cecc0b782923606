/**
 * A worker's network side without a network: the real turns, commands and log over a disk that syncs when a test says so,
 * and clients whose bytes go in and come out at once.
 */
import { Buffer } from 'node:buffer';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { installClientTopics } from '../../src/commands/client.ts';
import type { ClusterView } from '../../src/commands/cluster-view.ts';
import { createLogBoardBuffer, type LogBoard, openLogBoard } from '../../src/durability/log-board.ts';
import { createLogWriter, type LogWriter } from '../../src/durability/log-stream.ts';
import { logUserOf } from '../../src/net/log-user.ts';
import { endTurn } from '../../src/net/output.ts';
import type { Serving } from '../../src/net/serving.ts';
import { adoptSocket, startServing } from '../../src/net/turn.ts';
import { closeGate, GATE_LOG } from '../../src/resilience/gate.ts';
import { startJournaling } from '../../src/shard/journal.ts';
import { createHarness, type Harness } from './harness.ts';
import { openTestSegment } from './log-world.ts';
import { requestBytes } from './request-bytes.ts';
import { createSimulatedDisk, type SimulatedDisk } from './simulated-disk.ts';

export type WorldClient = {
  readonly socket: Duplex;
  /** What has come back so far, one character per byte. */
  readonly received: () => string;
  /** Has these bytes read by the server, whose commands run before this returns. */
  readonly sendBytes: (...pieces: (string | Uint8Array)[]) => void;
  readonly send: (...args: (string | Buffer)[]) => void;
  readonly isClosed: () => boolean;
};

export type ServingWorld = {
  readonly harness: Harness;
  readonly serving: Serving;
  readonly disk: SimulatedDisk;
  readonly board: LogBoard;
  readonly writer: LogWriter;
  /** Called before the bytes of a reply leave. */
  onReply: (client: WorldClient, bytes: Buffer) => void;
  readonly connect: () => WorldClient;
  /** Ends the turn. */
  readonly turn: () => void;
  /** Lets what was put off run, and ends the turns that it began. */
  readonly settle: () => Promise<void>;
};

type WorldOptions = {
  appendfsync?: string;
  onLogError?: string;
  streams?: number;
  shards?: number;
  shardBytes?: number;
  flags?: readonly string[];
  /** The clock that commands and turns are timed by. */
  monotonicMs?: () => number;
  /** What the node knows of a cluster, where it is in one. */
  cluster?: ClusterView;
};

/** Stream 0 is this worker's; the words of the others are the test's. */
export function createServingWorld({
  appendfsync = 'always',
  onLogError = 'refuse',
  streams = 1,
  shards = 2,
  shardBytes = 8 * 2 ** 20,
  flags: furtherFlags = [],
  monotonicMs,
  cluster,
}: WorldOptions = {}): ServingWorld {
  const flags = ['--appendfsync', appendfsync, '--on-log-error', onLogError, '--enable-debug-command', 'yes'];
  const harness = createHarness({
    shards,
    shardBytes,
    flags: [...flags, ...furtherFlags],
    monotonicMs,
    cluster,
  });
  const { engine } = harness;
  for (const shard of harness.shards) startJournaling(shard);
  const disk = createSimulatedDisk();
  const board = openLogBoard(createLogBoardBuffer(streams, 1), streams);
  const serving = startServing(engine, 0);
  for (const timer of serving.timers) clearInterval(timer);
  // Nothing of this worker happens by itself.
  serving.isStopping = true;
  installClientTopics(engine);
  const user = logUserOf(serving);
  const writer = createLogWriter({
    board,
    stream: 0,
    threadId: engine.threadId,
    storage: disk,
    clock: { wallMs: engine.wallMs, monotonicMs: () => 0 },
    shards: harness.shards,
    settings: engine.config,
    hooks: {
      onTrouble: () => {
        if (onLogError === 'refuse') closeGate(engine.gate, GATE_LOG);
        user.fail();
      },
      onHealthy: () => undefined,
      wantSegment: () => undefined,
      tellProgress: () => undefined,
    },
    segment: openTestSegment(disk, 0, 1, 1, shards),
  });
  user.attach(writer);
  const world: ServingWorld = {
    ...{ harness, serving, disk, board, writer },
    onReply: () => undefined,
    connect: () => connect(world),
    turn: () => endTurn(serving),
    settle: async () => {
      for (let pass = 0; pass < 4; pass += 1) await new Promise(setImmediate);
    },
  };
  return world;
}

function connect(world: ServingWorld): WorldClient {
  let received = '';
  let isFinished = false;
  const socket = new Duplex({
    read: () => undefined,
    write: (bytes: Buffer, _encoding, done) => {
      world.onReply(client, bytes);
      received += bytes.toString('latin1');
      done();
    },
    final: (done) => {
      isFinished = true;
      done();
    },
  });
  // As much of a net.Socket as is used: with a handle, so that it can be written to.
  Object.assign(socket, { destroySoon: () => void socket.end(() => socket.destroy()) });
  adoptSocket(world.serving, socket as unknown as Socket, false);
  Object.assign(socket, { _handle: {} });
  const client: WorldClient = {
    socket,
    received: () => received,
    sendBytes: (...pieces) => {
      socket.emit('data', Buffer.concat(pieces.map((piece) => Buffer.from(piece as Uint8Array))));
    },
    send: (...args) => client.sendBytes(requestBytes(...args)),
    isClosed: () => isFinished || socket.destroyed,
  };
  return client;
}
