/**
 * The attacks of docs/security.md. Each opens what it needs, keeps at it until it is told to end, and closes everything.
 */
import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { requestBytes } from '../request-bytes.ts';
import { openWire } from '../wire.ts';
import type { Attack, AttackScale } from './attack.ts';

const MIB = 2 ** 20;
const OPENING_AT_ONCE = 200;
const FILL_KEYS_AT_ONCE = 1_000;
const PIPELINE_BYTES = 64 * 1024;
const PATTERN_BOMB = `${'a*'.repeat(60)}b`;
const FITTING_KEY = 'a'.repeat(200);

export const ATTACKS: readonly Attack[] = [
  {
    name: 'connections that send half a command each',
    answer:
      'each costs its buffer, which grows with what has come and not with what is announced; maxclients bounds them',
    run: async (port, { connections }, signal) => {
      const half = Buffer.concat([
        Buffer.from('*3\r\n$3\r\nSET\r\n$4\r\nhalf\r\n$100000\r\n'),
        Buffer.alloc(1024, 'x'),
      ]);
      const sockets = await openMany(port, connections, signal);
      for (const socket of sockets) socket.write(half);
      await ended(signal);
      closeAll(sockets);
    },
  },
  {
    name: 'announcements of 512 MB',
    answer: 'memory is taken as bytes come, never for an announcement',
    run: async (port, { connections }, signal) => {
      const sockets = await openMany(port, Math.min(connections, 1_000), signal);
      for (const socket of sockets) socket.write('*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870912\r\nx');
      await ended(signal);
      closeAll(sockets);
    },
  },
  {
    name: 'pipelines of huge replies that nobody reads',
    answer: 'client-output-buffer-limit bounds each client, maxmemory-clients all together; the largest go',
    prepare: async (port) => {
      const wire = await openWire(port);
      await wire.ask('SET', 'huge', Buffer.alloc(MIB, 'x'));
      wire.close();
    },
    run: async (port, _, signal) => {
      const sockets = await openMany(port, 50, signal);
      const gets = Buffer.concat(Array.from({ length: 10_000 }, () => requestBytes('GET', 'huge')));
      for (const socket of sockets) {
        socket.pause();
        socket.write(gets);
      }
      await ended(signal);
      closeAll(sockets);
    },
  },
  {
    name: 'transactions that are never executed',
    answer: 'the queue counts as the client’s input: over client-query-buffer-limit the client is closed',
    flags: ['--client-query-buffer-limit', '16mb'],
    run: (port, _, signal) =>
      flood(port, 20, signal, Buffer.concat([requestBytes('SET', 'queued', Buffer.alloc(8 * 1024, 'x'))]), [
        requestBytes('MULTI'),
      ]),
  },
  {
    name: 'KEYS with a pattern bomb',
    answer: 'the matcher is linear but for the last star, and KEYS runs in slices',
    prepare: (port, { keys }) => fill(port, Math.min(keys, 50_000), (i) => `${FITTING_KEY}${i}`),
    run: (port, _, signal) => flood(port, 10, signal, requestBytes('KEYS', PATTERN_BOMB)),
  },
  {
    name: 'thousands of bombs as subscribed patterns, and publishing',
    answer: 'each publish costs a match for each pattern, in linear time',
    run: async (port, _, signal) => {
      const [subscriber] = await openMany(port, 1, signal);
      for (let i = 0; i < 2_000; i += 1) subscriber.write(requestBytes('PSUBSCRIBE', `${i}${PATTERN_BOMB}`));
      subscriber.resume();
      await flood(port, 4, signal, requestBytes('PUBLISH', FITTING_KEY, 'x'));
      closeAll([subscriber]);
    },
  },
  {
    name: 'subscribers that do not read',
    answer: 'closed at the pubsub class of client-output-buffer-limit',
    run: async (port, _, signal) => {
      const sockets = await openMany(port, 20, signal);
      for (const socket of sockets) {
        socket.write(requestBytes('SUBSCRIBE', 'news'));
        socket.pause();
      }
      await flood(port, 2, signal, requestBytes('PUBLISH', 'news', Buffer.alloc(16 * 1024, 'x')));
      closeAll(sockets);
    },
  },
  {
    name: 'monitors that do not read, and much to tell',
    answer: 'closed at a bound on unread lines',
    run: async (port, _, signal) => {
      const sockets = await openMany(port, 20, signal);
      for (const socket of sockets) {
        socket.write(requestBytes('MONITOR'));
        socket.pause();
      }
      await flood(port, 4, signal, requestBytes('SET', 'told', Buffer.alloc(1024, 'x')));
      closeAll(sockets);
    },
  },
  {
    name: 'CLIENT REPLY OFF and SKIP around huge replies',
    answer: 'a reply that is dropped gives its memory back at once',
    prepare: async (port) => {
      const wire = await openWire(port);
      await wire.ask('SET', 'huge', Buffer.alloc(MIB, 'x'));
      wire.close();
    },
    run: (port, _, signal) =>
      flood(
        port,
        10,
        signal,
        Buffer.concat([
          requestBytes('CLIENT', 'REPLY', 'SKIP'),
          requestBytes('GET', 'huge'),
          requestBytes('CLIENT', 'REPLY', 'OFF'),
          requestBytes('GET', 'huge'),
        ]),
      ),
  },
  {
    name: 'a storm of connections',
    answer: 'main accepts, a worker serves; each costs some 50 us of a processor',
    run: async (port, _, signal) => {
      await Promise.all(
        Array.from({ length: 16 }, async () => {
          while (!signal.aborted) {
            const socket = await open(port);
            socket?.write(requestBytes('PING'));
            if (socket !== undefined)
              await Promise.race([once(socket, 'data'), ended(signal)]).catch(() => undefined);
            socket?.resetAndDestroy();
          }
        }),
      );
    },
  },
  {
    name: 'KEYS * over all keys',
    answer: 'runs in slices; its reply is built as it goes and waits for its reader',
    prepare: (port, { keys }) => fill(port, keys, (i) => `key:${i}`),
    run: (port, _, signal) => flood(port, 2, signal, requestBytes('KEYS', '*')),
  },
  {
    name: 'SCAN with a COUNT of ten million',
    answer: 'runs in slices like KEYS',
    prepare: (port, { keys }) => fill(port, keys, (i) => `key:${i}`),
    run: (port, _, signal) => flood(port, 2, signal, requestBytes('SCAN', '0', 'COUNT', '10000000')),
  },
  {
    name: 'FLUSHALL and filling, over and over',
    answer: 'a flush is O(1); the entries go in slices behind it',
    run: async (port, { keys }, signal) => {
      const wire = await openWire(port);
      while (!signal.aborted) {
        await fill(port, Math.min(keys, 20_000), (i) => `key:${i}`);
        await wire.ask('FLUSHALL');
      }
      wire.close();
    },
  },
  {
    name: 'DEL of fifty thousand keys at once',
    answer: 'runs in slices of 512 keys, with the locks given back between them',
    run: async (port, { keys }, signal) => {
      const names = Array.from({ length: Math.min(keys, 50_000) }, (_, i) => `key:${i}`);
      const wire = await openWire(port);
      while (!signal.aborted) {
        await fill(port, names.length, (i) => names[i]);
        await wire.ask('DEL', ...names);
      }
      wire.close();
    },
  },
];

function open(port: number): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    socket.on('connect', () => resolve(socket));
    socket.on('error', () => resolve(undefined));
  });
}

/** Fewer where the server, or this machine, has no more for us. */
async function openMany(port: number, count: number, signal: AbortSignal): Promise<Socket[]> {
  const sockets: Socket[] = [];
  while (sockets.length < count && !signal.aborted) {
    const some = await Promise.all(
      Array.from({ length: Math.min(OPENING_AT_ONCE, count - sockets.length) }, () => open(port)),
    );
    const opened = some.filter((socket) => socket !== undefined);
    sockets.push(...opened);
    if (opened.length === 0) return sockets;
  }
  return sockets;
}

function closeAll(sockets: readonly Socket[]): void {
  for (const socket of sockets) socket.destroy();
}

function ended(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

/** The same request as often as the server takes it, on some connections that read what comes; `first` opens each. */
async function flood(
  port: number,
  connections: number,
  signal: AbortSignal,
  request: Buffer,
  first: readonly Buffer[] = [],
): Promise<void> {
  const pipeline = Buffer.concat(
    Array.from({ length: Math.max(1, Math.ceil(PIPELINE_BYTES / request.length)) }, () => request),
  );
  await Promise.all(
    Array.from({ length: connections }, async () => {
      while (!signal.aborted) {
        const socket = await open(port);
        if (socket === undefined) return;
        await floodOne(socket, pipeline, first, signal);
      }
    }),
  );
}

/** Resolves when the server, or the signal, has ended the connection. */
function floodOne(
  socket: Socket,
  pipeline: Buffer,
  first: readonly Buffer[],
  signal: AbortSignal,
): Promise<void> {
  socket.resume();
  for (const bytes of first) socket.write(bytes);
  const push = () => {
    while (!signal.aborted && !socket.destroyed && socket.write(pipeline));
  };
  socket.on('drain', push);
  const stop = () => void socket.destroy();
  signal.addEventListener('abort', stop, { once: true });
  return new Promise((resolve) => {
    socket.once('close', () => {
      signal.removeEventListener('abort', stop);
      resolve();
    });
    // The signal may have come while the connection was being opened: its listeners hear of it no more.
    if (signal.aborted) stop();
    else push();
  });
}

async function fill(port: number, count: number, nameOf: (index: number) => string): Promise<void> {
  const wire = await openWire(port);
  for (let at = 0; at < count; at += FILL_KEYS_AT_ONCE) {
    const pairs = Array.from({ length: Math.min(FILL_KEYS_AT_ONCE, count - at) }, (_, i) => [
      nameOf(at + i),
      'v',
    ]);
    await wire.ask('MSET', ...pairs.flat());
  }
  wire.close();
}

/** What a full run and a quick one ask for. */
export const FULL_SCALE: AttackScale = { connections: 10_000, seconds: 10, keys: 1_000_000 };
export const QUICK_SCALE: AttackScale = { connections: 500, seconds: 0.5, keys: 20_000 };
