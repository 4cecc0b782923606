/** What a person starts in a checkout: the server bundled, in the very process that was started. */
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasKey } from '../../bin/checkout.mjs';
import { type DistcacheServer, startDistcache } from '../support/distcache-server.ts';
import { infoField } from '../support/readings.ts';
import { CHECKOUT_MAIN } from '../support/server-main.ts';
import { openWire } from '../support/wire.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const FLAGS = ['--enable-debug-command', 'yes', '--loglevel', 'debug'];

/** The folder that a server says it runs from. */
function homeOf(server: DistcacheServer): string {
  const line = server
    .output()
    .split('\n')
    .find((text) => text.includes('"msg":"running"'));
  return JSON.parse(line ?? '{}').from;
}

describe('a start of the checkout', () => {
  let server: DistcacheServer;
  beforeAll(async () => {
    server = await startDistcache(FLAGS, {}, [], CHECKOUT_MAIN);
  });
  afterAll(() => server.stop());

  it('runs a whole bundle, and says from where at debug', () => {
    const home = homeOf(server);
    const key = home === `${ROOT}dist/` ? undefined : basename(home);
    expect(home).not.toBe(ROOT);
    if (key !== undefined) expect(hasKey(home, key)).toBe(true);
  });

  it('is one process, which serves and has the dashboard', async () => {
    const wire = await openWire(server.port);
    expect(await infoField(wire, 'process_id')).toBe(server.pid);
    expect(await wire.ask('SET', 'a', '1')).toBe('+OK');
    expect(await wire.ask('GET', 'a')).toBe('1');
    wire.close();
    for (const path of ['', 'assets/main.js', 'assets/uplot.js', 'v1/ring', 'metrics']) {
      const response = await fetch(`http://127.0.0.1:${server.httpPort}/${path}`);
      expect([path, response.status, (await response.text()).length > 100]).toEqual([path, 200, true]);
    }
  });

  it('has jobs and new workers from the bundle as well', async () => {
    const first = await openWire(server.port);
    await first.ask('SET', 'b', '2');
    expect(await first.ask('SAVE')).toBe('+OK');
    first.socket.write('DEBUG WORKER-EXIT\r\n');
    await first.closed;
    await server.logged('serves again');
    // One connection for each worker: the replacement has one of them.
    const wires = [await openWire(server.port), await openWire(server.port)];
    for (const wire of wires) expect(await wire.ask('GET', 'b')).toBe('2');
    for (const wire of wires) wire.close();
  });
});

describe('the sources, started as they are', () => {
  it('serve as well, and stop when they are told to', async () => {
    const server = await startDistcache(FLAGS, {}, [], join(ROOT, 'src/main.ts'));
    expect(homeOf(server)).toBe(ROOT);
    const wire = await openWire(server.port);
    expect(await wire.ask('SET', 'a', '1')).toBe('+OK');
    wire.close();
    expect(await server.stop()).toBe(0);
  });
});
