/**
 * A worker without shards for the tests of supervision: echoes what its sockets send, and does what the text `plan` of its
 * configuration's requirepass, or a line from a client, says: throw, end, spin, refuse.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { openCounters } from '../../src/metrics/counters.ts';
import { CONNECTIONS_CLOSED, CONNECTIONS_OPEN } from '../../src/metrics/names.ts';
import {
  type HandedSocket,
  type MainMessage,
  sectionOfThread,
  type ThreadBoot,
} from '../../src/threads/boot.ts';
import { connectPeer, createBus, handleTopic, requestAll } from '../../src/threads/bus.ts';

const boot = workerData as ThreadBoot;
const counters = openCounters(boot.counters, sectionOfThread(boot.threadId));
const bus = createBus(boot.threadId, () => undefined, boot.ports);
const sockets = new Set<HandedSocket>();
const plan = boot.config.requirepass;

handleTopic(bus, 'who', () => boot.threadId);

function misbehave(how: string): void {
  if (how === 'throw') {
    setImmediate(() => {
      throw new Error('thrown by the stub');
    });
  }
  if (how === 'reject') void Promise.reject(new Error('rejected by the stub'));
  if (how === 'spin') for (;;);
  if (how === 'end') {
    for (const socket of sockets) socket.destroy();
    parentPort?.close();
  }
}

function serve(socket: HandedSocket): void {
  sockets.add(socket);
  counters[CONNECTIONS_OPEN] += 1;
  socket.on('close', () => {
    sockets.delete(socket);
    counters[CONNECTIONS_OPEN] -= 1;
    counters[CONNECTIONS_CLOSED] += 1;
  });
  socket.on('error', () => socket.destroy());
  socket.on('data', (data) => {
    const text = data.toString();
    if (text === 'everybody') {
      void requestAll(bus, 'who', null).then((ids) => socket.write(ids.join(' ')));
    } else {
      socket.write(`${boot.workerIndex} ${text}`);
      misbehave(text);
    }
  });
  socket.resume();
}

parentPort?.on('message', (message: MainMessage) => {
  if (message.kind === 'socket') serve(message.socket);
  if (message.kind === 'peer') connectPeer(bus, message.peer);
  if (message.kind === 'stop') {
    for (const socket of sockets) socket.end('bye');
    parentPort?.close();
  }
});

if (plan === 'throw') throw new Error('thrown by the stub');
misbehave(plan);
if (plan === 'refuse') parentPort?.postMessage({ kind: 'refused', text: 'the stub refuses' });
else if (plan !== 'end') parentPort?.postMessage({ kind: 'started' });
