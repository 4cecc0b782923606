/** The entry of a worker thread: serves the connections that main hands over, and keeps the house of its own shards. */
import { parentPort, workerData } from 'node:worker_threads';
import { assert } from '../src/base/assert.ts';
import { systemClock } from '../src/base/clock.ts';
import { StartError } from '../src/base/errors.ts';
import { takePart } from '../src/cluster/worker-part.ts';
import { installClientTopics } from '../src/commands/client.ts';
import { joinThreads } from '../src/commands/joined-threads.ts';
import { applyLiveConfig, installServerTopics } from '../src/commands/server-topics.ts';
import { closeDoors, openDoors, takeSocket } from '../src/net/doors.ts';
import { serveLog } from '../src/net/log-user.ts';
import { startServing, stopServing } from '../src/net/turn.ts';
import type { MainMessage, ThreadBoot, WorkerMessage } from '../src/threads/boot.ts';
import { connectPeer, createBus } from '../src/threads/bus.ts';
import { followConfigChanges } from '../src/threads/config-changes.ts';
import { createLog, sinkToMain } from '../src/threads/log.ts';
import { createEngine } from '../src/threads/thread-engine.ts';
import { closeWorkerLog, startWorkerLog } from '../src/threads/worker-log.ts';

assert(parentPort !== null, 'a thread entry is started as a thread');
const port = parentPort;
const boot = workerData as ThreadBoot;
const toMain = sinkToMain(() => bus);
const log = createLog(boot.config, boot.threadId, toMain);
const bus = createBus(boot.threadId, log.error, boot.ports);
const engine = createEngine(boot, boot, bus, log, systemClock);
const serving = startServing(engine, boot.generation);
installServerTopics(engine);
installClientTopics(engine);
const workerLog = startWorkerLog(boot, engine, bus, systemClock, serveLog(serving, bus));
followConfigChanges(bus, engine.config, () => applyLiveConfig(engine));
applyLiveConfig(engine); // A replacement may have missed a change.

// Nothing else keeps the thread alive while it waits for what the others answer.
port.ref();
try {
  await joinThreads(engine, boot.generation);
  takePart(engine);
  const doors = await openDoors(serving, bus, systemClock.monotonicMs);
  port.on('message', (message: MainMessage) => {
    if (message.kind === 'socket') {
      takeSocket(doors, message.socket, message.isEncrypted);
    } else if (message.kind === 'peer') {
      connectPeer(bus, message.peer);
    } else {
      closeDoors(doors);
      void stopServing(serving).then(() => {
        closeWorkerLog(workerLog);
        port.close();
      });
    }
  });
  port.postMessage({ kind: 'started' } satisfies WorkerMessage);
} catch (error) {
  if (!(error instanceof StartError)) throw error;
  port.postMessage({ kind: 'refused', text: error.message } satisfies WorkerMessage);
  port.unref();
}
