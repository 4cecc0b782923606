/** TLS on a worker over real sockets: handshakes and their bounds, sessions, and replies that are not read. */
import { once } from 'node:events';
import { connect as connectPlain, createServer, type Server, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { TLS_HANDSHAKE_MS_MAX, TLS_HANDSHAKES_MAX } from '../../src/config/limits.ts';
import type { TlsMaterial } from '../../src/config/tls-files.ts';
import {
  CONNECTIONS_CLOSED,
  CONNECTIONS_REFUSED,
  LIMIT_CUTS,
  TLS_HANDSHAKES,
  TLS_HANDSHAKES_FAILED,
  TLS_HANDSHAKES_OPEN,
  WRITES,
} from '../../src/metrics/names.ts';
import { PROTECTED_MODE_DENIAL } from '../../src/net/admission.ts';
import { tlsProblemOf } from '../../src/net/tls-context.ts';
import {
  admitTlsSocket,
  applyTlsIssue,
  closeTlsDoor,
  createTlsDoor,
  dropLate,
  type TlsDoor,
} from '../../src/net/tls-door.ts';
import { type Certificates, createCertificates, KEY_PASSWORD } from '../support/certificates.ts';
import { createServingWorld, type ServingWorld } from '../support/serving-world.ts';
import { describeWithTools } from '../support/tools.ts';
import { createWire, type Wire } from '../support/wire.ts';

/** One worker with its door, behind a port that hands it what comes. */
type World = { world: ServingWorld; door: TlsDoor; port: number; server: Server; nowMs: number };

/** What the types of `connect` leave out: where a client comes from. */
type ClientOptions = ConnectionOptions & { localAddress?: string };

let certificates: Certificates;
let material: TlsMaterial;
let worlds: World[] = [];
let sockets: Socket[] = [];

beforeAll(() => {
  certificates = createCertificates();
});
afterAll(() => certificates.remove());
beforeEach(() => {
  const { read } = certificates;
  material = {
    ...{
      certificate: read('server.crt'),
      key: read('server.key'),
      keyPassword: '',
      authorities: [read('ca.crt')],
    },
    ...{ dhParameters: '', clientCertificates: 'no', protocols: new Set(['TLSv1.2', 'TLSv1.3']) },
    ...{ ciphers: '', ciphersuites: '', prefersServerCiphers: false, sessionSeconds: 300 },
    ticketKeys: new Uint8Array(48).fill(1),
  };
});
afterEach(() => {
  for (const socket of sockets) socket.destroy();
  for (const { door, server } of worlds) {
    closeTlsDoor(door);
    server.close();
  }
  sockets = [];
  worlds = [];
});

async function createWorld(flags: readonly string[] = []): Promise<World> {
  const world = createServingWorld({ appendfsync: 'no', flags });
  const opened: World = {
    world,
    door: createTlsDoor(world.serving, () => opened.nowMs),
    port: 0,
    server: createServer({ pauseOnConnect: true }, (socket) => admitTlsSocket(opened.door, socket)),
    nowMs: 1_000,
  };
  applyTlsIssue(opened.door, { number: 1, material });
  opened.server.listen(0, '127.0.0.1');
  await once(opened.server, 'listening');
  const address = opened.server.address();
  opened.port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  worlds.push(opened);
  return opened;
}

function counter({ world }: World, index: number): number {
  return world.harness.engine.counters[index];
}

async function open({ port }: World, options: ClientOptions = {}): Promise<TLSSocket> {
  const socket = connect({ port, host: '127.0.0.1', ca: certificates.read('ca.crt'), ...options });
  sockets.push(socket);
  socket.on('error', () => undefined);
  await Promise.race([once(socket, 'secureConnect'), once(socket, 'close')]);
  return socket;
}

async function openWire(world: World, options: ClientOptions = {}): Promise<Wire> {
  return createWire(await open(world, options));
}

/** A connection that says nothing yet, when the worker has it. */
async function openSilent(world: World): Promise<Socket> {
  const socket = connectPlain(world.port, '127.0.0.1');
  sockets.push(socket);
  socket.on('error', () => undefined);
  const [accepted] = await Promise.all([once(world.server, 'connection'), once(socket, 'connect')]);
  expect(accepted).toHaveLength(1);
  return socket;
}

describeWithTools('a handshake', ['openssl'], () => {
  it('makes a connection like any other', async () => {
    const world = await createWorld();
    const wire = await openWire(world);
    expect(await wire.ask('PING')).toBe('+PONG');
    expect(counter(world, TLS_HANDSHAKES)).toBe(1);
    expect(counter(world, TLS_HANDSHAKES_OPEN)).toBe(0);
    expect(world.world.serving.connections.size).toBe(1);
    wire.close();
    await wire.closed;
    await world.world.settle();
  });

  it('with what is none fails, is counted, and is closed for main too', async () => {
    const world = await createWorld();
    const socket = await openSilent(world);
    socket.write('PING\r\n');
    await once(socket, 'close');
    expect(counter(world, TLS_HANDSHAKES_FAILED)).toBe(1);
    expect(counter(world, TLS_HANDSHAKES_OPEN)).toBe(0);
    expect(counter(world, CONNECTIONS_CLOSED)).toBe(1);
  });

  it('that is not finished ends after its time, and not before', async () => {
    const world = await createWorld();
    const socket = await openSilent(world);
    const closed = once(socket, 'close');
    world.nowMs += TLS_HANDSHAKE_MS_MAX - 1;
    dropLate(world.door);
    expect(world.door.handshakes.size).toBe(1);
    world.nowMs += 1;
    dropLate(world.door);
    await closed;
    expect(counter(world, TLS_HANDSHAKES_FAILED)).toBe(1);
  });

  it('of one too many takes the place of the oldest, and others still come in', async () => {
    const world = await createWorld();
    const oldest = await openSilent(world);
    const closed = once(oldest, 'close');
    for (let i = 1; i < TLS_HANDSHAKES_MAX; i += 1) await openSilent(world);
    expect(counter(world, TLS_HANDSHAKES_OPEN)).toBe(TLS_HANDSHAKES_MAX);
    expect(await (await openWire(world)).ask('PING')).toBe('+PONG');
    await closed;
    expect(counter(world, TLS_HANDSHAKES_FAILED)).toBe(1);
  }, 20_000);

  it('of many too many at once leaves no more than there may be', async () => {
    const world = await createWorld();
    const extra = 50;
    const burst = Array.from({ length: TLS_HANDSHAKES_MAX + extra }, (_, remotePort) =>
      Object.assign(new PassThrough(), { remotePort }),
    );
    for (const socket of burst) admitTlsSocket(world.door, socket as unknown as Socket);
    expect(counter(world, TLS_HANDSHAKES_OPEN)).toBe(TLS_HANDSHAKES_MAX);
    expect(burst.map((socket) => socket.destroyed).lastIndexOf(true)).toBe(extra - 1);
    expect(counter(world, TLS_HANDSHAKES_FAILED)).toBe(extra);
    closeTlsDoor(world.door);
    expect(counter(world, CONNECTIONS_CLOSED)).toBe(TLS_HANDSHAKES_MAX + extra);
  });

  it('is not renegotiated', async () => {
    const world = await createWorld();
    const socket = await open(world, { maxVersion: 'TLSv1.2' });
    const answer = new Promise<unknown>((resolve) => {
      socket.once('error', resolve);
      socket.renegotiate({}, resolve);
    });
    expect(String(await answer)).toMatch(/no renegotiation/);
    expect(counter(world, TLS_HANDSHAKES)).toBe(1);
  });

  it('of a stranger ends with the reason, where protected mode turns strangers away', async () => {
    const world = await createWorld();
    // Of this machine's own addresses the one that counts as a stranger's.
    const wire = await openWire(world, { localAddress: '127.0.0.2' });
    expect((await wire.rest()).toString()).toBe(PROTECTED_MODE_DENIAL);
    expect(counter(world, CONNECTIONS_REFUSED)).toBe(1);
    expect(counter(world, CONNECTIONS_CLOSED)).toBe(1);
  });

  it('waits for none while there is no certificate', async () => {
    const world = await createWorld();
    world.door.server = undefined;
    const socket = await openSilent(world);
    await once(socket, 'close');
    expect(counter(world, TLS_HANDSHAKES_FAILED)).toBe(1);
  });
});

describeWithTools('a session', ['openssl'], () => {
  async function sessionOf(world: World): Promise<Buffer> {
    const socket = await open(world);
    const [session] = (await once(socket, 'session')) as [Buffer];
    return session;
  }

  it('is gone on with at another worker, and not after the files were read anew', async () => {
    const [one, other] = [await createWorld(), await createWorld()];
    const session = await sessionOf(one);
    expect((await open(other, { session })).isSessionReused()).toBe(true);
    applyTlsIssue(other.door, {
      number: 2,
      material: { ...material, ticketKeys: new Uint8Array(48).fill(2) },
    });
    expect((await open(other, { session })).isSessionReused()).toBe(false);
  });

  it('is not gone on with where that is switched off', async () => {
    material = { ...material, sessionSeconds: 0 };
    const world = await createWorld();
    const socket = await open(world, { maxVersion: 'TLSv1.2' });
    expect(
      (await open(world, { session: socket.getSession(), maxVersion: 'TLSv1.2' })).isSessionReused(),
    ).toBe(false);
  });

  it('takes older material for what it is', async () => {
    const world = await createWorld();
    applyTlsIssue(world.door, { number: 3, material });
    const { server } = world.door;
    applyTlsIssue(world.door, { number: 2, material });
    expect(world.door.server).toBe(server);
  });
});

describeWithTools('replies over TLS', ['openssl'], () => {
  it('go out in one write a turn', async () => {
    const world = await createWorld();
    const wire = await openWire(world);
    const before = counter(world, WRITES);
    wire.socket.write('PING\r\n'.repeat(1_000));
    expect((await wire.take(7_000)).toString()).toBe('+PONG\r\n'.repeat(1_000));
    expect(counter(world, WRITES) - before).toBeLessThan(4);
  });

  it('that are not read count, and cut the client at its limit', async () => {
    const flags = ['--client-output-buffer-limit', 'normal 20mb 0 0', '--maxmemory', '256mb'];
    const world = await createWorld(flags);
    const wire = await openWire(world);
    const value = 'v'.repeat(1_000_000);
    expect(await wire.ask('SET', 'key', value)).toBe('+OK');
    wire.socket.pause();
    wire.socket.write('GET key\r\n'.repeat(100));
    const { sessions } = world.world.harness.engine;
    const [session] = sessions.values();
    let mostBytes = 0;
    while (counter(world, LIMIT_CUTS) === 0) {
      mostBytes = Math.max(mostBytes, session.connection.outputBytes());
      await new Promise(setImmediate);
    }
    expect(mostBytes).toBeGreaterThan(10_000_000);
    expect(mostBytes).toBeLessThan(25_000_000);
  });
});

describeWithTools('material', ['openssl'], () => {
  it('that OpenSSL takes has no problem, an encrypted key with its password among it', () => {
    expect(tlsProblemOf(material)).toBeUndefined();
    const locked = { ...material, key: certificates.read('locked.key') };
    expect(tlsProblemOf({ ...locked, keyPassword: KEY_PASSWORD })).toBeUndefined();
    expect(tlsProblemOf({ ...locked, keyPassword: 'wrong' })).toBeDefined();
    expect(tlsProblemOf(locked)).toBeDefined();
  });

  it.each([
    { certificate: 'no certificate' },
    { key: 'no key' },
    { ciphers: 'NOSUCH' },
    { ciphersuites: 'NOSUCH' },
    { ciphersuites: 'TLS_NOSUCH' },
    { dhParameters: 'no parameters' },
  ])('with %j has one', (change) => {
    expect(tlsProblemOf({ ...material, ...change })).toMatch(/./);
  });
});
