/**
 * TLS against the real server: the clients that people use, certificates that are changed while it runs, HTTPS.
 */
import { copyFileSync } from 'node:fs';
import { Agent, get } from 'node:https';
import { join } from 'node:path';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { launchChromium, openPage } from '../support/browser.ts';
import { type Certificates, createCertificates } from '../support/certificates.ts';
import { type DistcacheServer, runDistcache, startDistcache } from '../support/distcache-server.ts';
import { freePort } from '../support/redis-server.ts';
import { describeWithTools, runTool } from '../support/tools.ts';
import { createWire, openWire, type Wire } from '../support/wire.ts';

const LONG_VALUE = 'v'.repeat(3_000_000);

let certificates: Certificates;
let server: DistcacheServer;
let tlsPort: number;
let httpsPort: number;
let plain: Wire;

beforeAll(async () => {
  certificates = createCertificates();
  tlsPort = await freePort();
  httpsPort = await freePort();
  const { path } = certificates;
  server = await startDistcache([
    ...['--tls-port', `${tlsPort}`, '--http-tls-port', `${httpsPort}`, '--maxmemory', '128mb'],
    ...['--tls-cert-file', path('server.crt'), '--tls-key-file', path('server.key')],
    ...['--tls-ca-cert-file', path('ca.crt'), '--tls-auth-clients', 'no', '--enable-debug-command', 'yes'],
  ]);
  plain = await openWire(server.port);
});
afterEach(async () => {
  const { path } = certificates;
  const files = ['tls-cert-file', path('server.crt'), 'tls-key-file', path('server.key')];
  expect(await plain.ask('CONFIG', 'SET', ...files, 'tls-auth-clients', 'no', 'tls-protocols', '')).toBe(
    '+OK',
  );
});
afterAll(async () => {
  plain.close();
  await server.stop();
  certificates.remove();
});

/** Resolves when the handshake is done; rejects where it fails. */
function openTls(options: ConnectionOptions = {}): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const settings = { port: tlsPort, host: '127.0.0.1', ca: certificates.read('ca.crt'), ...options };
    const socket = connect(settings, () => resolve(socket));
    socket.on('error', reject);
  });
}

/** What a client gets to PING: a reply, or nothing because it is not let in. */
async function pingOver(options: ConnectionOptions = {}): Promise<unknown> {
  try {
    const wire = createWire(await openTls(options));
    const reply = await wire.ask('PING');
    wire.close();
    return reply;
  } catch {
    return 'refused';
  }
}

function clientCertificate(prefix = ''): ConnectionOptions {
  const { read } = certificates;
  return { cert: read(`${prefix}client.crt`), key: read(`${prefix}client.key`) };
}

function serverName(socket: TLSSocket): string {
  return `${socket.getPeerCertificate().subject.CN}`;
}

describeWithTools(
  'redis-cli and redis-benchmark over TLS',
  ['openssl', 'redis-cli', 'redis-benchmark'],
  () => {
    it('redis-cli asks, with and without a certificate of its own', async () => {
      const { path } = certificates;
      const known = ['-p', `${tlsPort}`, '--tls', '--cacert', path('ca.crt')];
      const own = ['--cert', path('client.crt'), '--key', path('client.key')];
      expect((await runTool('redis-cli', [...known, 'PING'])).stdout).toBe('PONG\n');
      expect((await runTool('redis-cli', [...known, ...own, '-3', 'SET', 'key', 'value'])).stdout).toBe(
        'OK\n',
      );
      await plain.ask('CONFIG', 'SET', 'tls-auth-clients', 'yes');
      expect((await runTool('redis-cli', [...known, ...own, 'GET', 'key'])).stdout).toBe('value\n');
      expect((await runTool('redis-cli', [...known, 'GET', 'key'])).stdout).not.toContain('value');
    });

    it('redis-benchmark runs its pipelines', async () => {
      const load = ['-t', 'set,get', '-n', '20000', '-P', '16', '-c', '10', '--csv'];
      const { code, stdout } = await runTool('redis-benchmark', [
        ...['-p', `${tlsPort}`, '--tls', '--cacert', certificates.path('ca.crt'), ...load],
      ]);
      expect(code).toBe(0);
      expect(stdout).toMatch(/"SET".*\n"GET"/);
    });
  },
);

describeWithTools('libraries over TLS', ['openssl'], () => {
  it('ioredis', async () => {
    const redis = new Redis({ port: tlsPort, tls: { ca: certificates.read('ca.crt') } });
    await redis.set('long', LONG_VALUE);
    expect(await redis.get('long')).toBe(LONG_VALUE);
    redis.disconnect();
  });

  it('node-redis, with a certificate', async () => {
    await plain.ask('CONFIG', 'SET', 'tls-auth-clients', 'yes');
    const ca = certificates.read('ca.crt');
    const socket = { tls: true as const, port: tlsPort, host: '127.0.0.1', ca, ...clientCertificate() };
    const client = createClient({ socket: socket as never });
    await client.connect();
    expect(await client.set('key', 'over tls')).toBe('OK');
    expect(await client.get('key')).toBe('over tls');
    client.destroy();
  });
});

describeWithTools('clients of TLS', ['openssl'], () => {
  it('are listed, counted and killed like others', async () => {
    const wire = createWire(await openTls());
    const id = String(await wire.ask('CLIENT', 'ID')).slice(1);
    const list = String(await plain.ask('CLIENT', 'LIST', 'ID', id));
    expect(list).toMatch(
      new RegExp(`^id=${id} addr=127\\.0\\.0\\.1:\\d+ laddr=127\\.0\\.0\\.1:${tlsPort} fd=[1-9]`),
    );
    expect(await plain.ask('CLIENT', 'KILL', 'ID', id)).toBe(':1');
    await wire.closed;
  });

  it('may close their side before they have read the replies', async () => {
    await plain.ask('SET', 'long', LONG_VALUE);
    const socket = await openTls();
    let bytes = 0;
    socket.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    socket.end('*2\r\n$3\r\nGET\r\n$4\r\nlong\r\n');
    await new Promise((resolve) => socket.once('close', resolve));
    expect(bytes).toBe(LONG_VALUE.length + '$3000000\r\n\r\n'.length);
  });

  it('that speak plain RESP to the port are dropped, and it serves on', async () => {
    const wire = await openWire(tlsPort);
    wire.socket.write('PING\r\n');
    await wire.closed;
    expect(await pingOver()).toBe('+PONG');
  });

  it('over maxclients are closed, and counted as refused', async () => {
    const open = Number(/connected_clients:(\d+)/.exec(String(await plain.ask('INFO', 'clients')))?.[1]);
    expect(await plain.ask('CONFIG', 'SET', 'maxclients', `${open}`)).toBe('+OK');
    expect(await pingOver()).toBe('refused');
    expect(await plain.ask('CONFIG', 'SET', 'maxclients', '1000')).toBe('+OK');
    expect(await pingOver()).toBe('+PONG');
  });

  it.each([
    ['no', ['+PONG', '+PONG', '+PONG']],
    ['optional', ['+PONG', '+PONG', 'refused']],
    ['yes', ['refused', '+PONG', 'refused']],
  ])('tls-auth-clients %s lets in whom it should', async (value, expected) => {
    expect(await plain.ask('CONFIG', 'SET', 'tls-auth-clients', value)).toBe('+OK');
    const replies: unknown[] = [];
    for (const options of [{}, clientCertificate(), clientCertificate('other-')]) {
      replies.push(await pingOver(options));
    }
    expect(replies).toEqual(expected);
  });

  it('speak the versions that tls-protocols names', async () => {
    expect(await plain.ask('CONFIG', 'SET', 'tls-protocols', 'tlsv1.2')).toBe('+OK');
    expect((await openTls()).getProtocol()).toBe('TLSv1.2');
    expect(await pingOver({ minVersion: 'TLSv1.3' })).toBe('refused');
    expect(await plain.ask('CONFIG', 'SET', 'tls-protocols', 'TLSv1.3')).toBe('+OK');
    expect((await openTls()).getProtocol()).toBe('TLSv1.3');
    expect(await pingOver({ maxVersion: 'TLSv1.2' })).toBe('refused');
  });
});

describeWithTools('files that change while the server runs', ['openssl'], () => {
  it('hold for new connections of all workers, and old connections go on', async () => {
    const old = createWire(await openTls());
    const { path, read } = certificates;
    const files = ['tls-cert-file', path('other-server.crt'), 'tls-key-file', path('other-server.key')];
    expect(await plain.ask('CONFIG', 'SET', ...files)).toBe('+OK');
    for (let i = 0; i < 4; i += 1) {
      expect(serverName(await openTls({ ca: read('other-ca.crt') }))).toBe('other-server');
    }
    expect(await old.ask('PING')).toBe('+PONG');
  });

  it('are read anew though their names stay', async () => {
    const { path, read, folder } = certificates;
    for (const end of ['crt', 'key']) copyFileSync(path(`server.${end}`), join(folder, `live.${end}`));
    const files = ['tls-cert-file', path('live.crt'), 'tls-key-file', path('live.key')];
    expect(await plain.ask('CONFIG', 'SET', ...files)).toBe('+OK');
    for (const end of ['crt', 'key']) copyFileSync(path(`other-server.${end}`), join(folder, `live.${end}`));
    expect(serverName(await openTls())).toBe('server');
    expect(await plain.ask('CONFIG', 'SET', ...files)).toBe('+OK');
    expect(serverName(await openTls({ ca: read('other-ca.crt') }))).toBe('other-server');
  });

  it.each([
    ['tls-cert-file', 'absent.crt'],
    ['tls-cert-file', 'bad.crt'],
    ['tls-key-file', 'client.key'],
    ['tls-key-file', 'locked.key'],
    ['tls-ca-cert-file', 'absent.crt'],
  ])(
    'that are wrong (%s %s) are refused in the words of redis-server, and the old ones stay',
    async (name, file) => {
      const before = await plain.ask('CONFIG', 'GET', name);
      expect(await plain.ask('CONFIG', 'SET', 'timeout', '17', name, certificates.path(file))).toBe(
        `-ERR CONFIG SET failed (possibly related to argument '${name}') - Unable to update TLS configuration. Check server logs.`,
      );
      expect(await plain.ask('CONFIG', 'GET', name)).toEqual(before);
      expect(String(await plain.ask('CONFIG', 'GET', 'timeout'))).not.toContain('17');
      expect(await pingOver()).toBe('+PONG');
    },
  );

  it('are those of a worker that takes the place of a dead one', async () => {
    const { path, read } = certificates;
    const files = ['tls-cert-file', path('other-server.crt'), 'tls-key-file', path('other-server.key')];
    expect(await plain.ask('CONFIG', 'SET', ...files)).toBe('+OK');
    const wire = createWire(await openTls({ ca: read('other-ca.crt') }));
    wire.socket.write('DEBUG WORKER-EXIT\r\n');
    await wire.closed;
    await server.logged('serves again');
    for (let i = 0; i < 4; i += 1) {
      expect(serverName(await openTls({ ca: read('other-ca.crt') }))).toBe('other-server');
    }
    plain.close();
    plain = await openWire(server.port);
  });

  it('can be moved to another port, and back', async () => {
    const other = await freePort();
    expect(await plain.ask('CONFIG', 'SET', 'tls-port', `${other}`)).toBe('+OK');
    expect(await pingOver()).toBe('refused');
    expect(await pingOver({ port: other })).toBe('+PONG');
    expect(await plain.ask('CONFIG', 'SET', 'tls-port', `${server.port}`)).toBe(
      "-ERR CONFIG SET failed (possibly related to argument 'tls-port') - Unable to listen on this port. Check server logs.",
    );
    expect(await plain.ask('CONFIG', 'SET', 'tls-port', `${tlsPort}`)).toBe('+OK');
    expect(await pingOver()).toBe('+PONG');
  });

  it('that are wrong at the start keep it from starting', async () => {
    const { code, stdout, stderr } = await runDistcache([
      '--port',
      '0',
      '--http-port',
      '0',
      '--tls-port',
      `${tlsPort}`,
    ]);
    expect(code).toBe(1);
    expect(stdout + stderr).toContain('No tls-cert-file configured!');
  });
});

describeWithTools('HTTPS', ['openssl'], () => {
  /** Status and text of a page; `refused` where the handshake fails. */
  function fetchPage(path: string, options: ConnectionOptions = {}): Promise<string> {
    const agent = new Agent({ ca: certificates.read('ca.crt'), ...options });
    return new Promise((resolve) => {
      const request = get({ host: '127.0.0.1', port: httpsPort, path, agent }, (response) => {
        response.resume();
        response.once('end', () => resolve(`${response.statusCode}`));
      });
      request.on('error', () => resolve('refused'));
    });
  }

  it('serves the pages, with the certificate that is in force and to the clients that may come', async () => {
    expect(await fetchPage('/metrics')).toBe('200');
    const { path, read } = certificates;
    const files = ['tls-cert-file', path('other-server.crt'), 'tls-key-file', path('other-server.key')];
    await plain.ask('CONFIG', 'SET', ...files, 'tls-auth-clients', 'yes');
    expect(await fetchPage('/metrics')).toBe('refused');
    expect(await fetchPage('/metrics', { ca: read('other-ca.crt') })).toBe('refused');
    expect(await fetchPage('/metrics', { ca: read('other-ca.crt'), ...clientCertificate() })).toBe('200');
    await plain.ask('CONFIG', 'SET', 'tls-auth-clients', 'optional');
    expect(await fetchPage('/metrics', { ca: read('other-ca.crt') })).toBe('200');
    expect(await fetchPage('/metrics', { ca: read('other-ca.crt'), ...clientCertificate('other-') })).toBe(
      'refused',
    );
  });
});

describeWithTools('the dashboard over HTTPS', ['openssl', 'chromium'], () => {
  it('is there, live data included', async () => {
    const browser = await launchChromium();
    const { page, complaints } = await openPage(browser, { ignoreHTTPSErrors: true });
    await page.goto(`https://127.0.0.1:${httpsPort}/`);
    await page.waitForSelector('#connection:not([data-state=wait]):not([data-state=bad])');
    expect(complaints).toEqual([]);
    await browser.close();
  }, 30_000);
});
