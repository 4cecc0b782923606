/** Some attacks of `npm run abuse` on a real server, small ones: memory stays bounded, and a client that behaves is answered. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type AttackReport, runAttack } from '../support/abuse/attack.ts';
import { ATTACKS, QUICK_SCALE } from '../support/abuse/attacks.ts';
import { startDistcache } from '../support/distcache-server.ts';
import { metricTotal, residentBytes } from '../support/readings.ts';
import { requestBytes } from '../support/request-bytes.ts';
import { openWire } from '../support/wire.ts';

const MIB = 2 ** 20;

/** Generous: other tests run on the same cores. */
const LONGEST_MS_MAX = 3_000;

async function attack(name: string): Promise<AttackReport> {
  const found = ATTACKS.find((candidate) => candidate.name === name);
  if (found === undefined) throw new Error(`there is no attack ${name}`);
  return runAttack(found, QUICK_SCALE);
}

describe('under attack', () => {
  it.each([
    ['connections that send half a command each', 128],
    ['announcements of 512 MB', 128],
    ['transactions that are never executed', 512],
    ['DEL of fifty thousand keys at once', 256],
  ])('by %s the server grows by less than %d MiB, and answers others', async (name, mebibytes) => {
    const report = await attack(name);
    expect(report.troubles).toEqual([]);
    expect(report.probe.failure).toBe('');
    expect(report.probe.requests).toBeGreaterThan(0);
    expect(report.probe.maxMs).toBeLessThan(LONGEST_MS_MAX);
    expect(report.grownBytes / MIB).toBeLessThan(mebibytes);
  });

  it('by a hundred readers that do not read, memory stays near maxmemory-clients, and others are answered', async () => {
    const server = await startDistcache(['--maxmemory-clients', '64mb', '--appendonly', 'no', '--save', '']);
    onTestFinished(() => server.kill('SIGKILL'));
    const wire = await openWire(server.port);
    await wire.ask('SET', 'large', Buffer.alloc(MIB, 'x'));
    const before = residentBytes(server.pid);
    const asked = Buffer.concat(Array.from({ length: 20 }, () => requestBytes('GET', 'large')));
    const readers = await Promise.all(
      Array.from({ length: 100 }, async () => {
        const socket = connect({ port: server.port, host: '127.0.0.1' }).pause();
        socket.on('error', () => undefined);
        await once(socket, 'connect');
        socket.write(asked);
        return socket;
      }),
    );
    let peak = 0;
    while ((await metricTotal(server.httpPort, 'distcache_clients_evicted_total')) < 50) {
      expect(await wire.ask('PING')).toBe('+PONG');
      peak = Math.max(peak, residentBytes(server.pid) - before);
    }
    for (const socket of readers) socket.destroy();
    // Of 2,000 MiB that they asked for. What is on its way to being freed comes on top of the bound.
    expect(peak / MIB).toBeLessThan(384);
    wire.close();
    expect(await server.stop()).toBe(0);
  });

  it('slow readers that do read get every byte, though the buffers that they wait in are used again', async () => {
    const server = await startDistcache(['--appendonly', 'no', '--save', '']);
    onTestFinished(() => server.kill('SIGKILL'));
    const wire = await openWire(server.port);
    const sizes = [300_000, 1_000_000, 70_000, 2_500_000];
    for (const [i, bytes] of sizes.entries())
      await wire.ask('SET', `value:${i}`, Buffer.alloc(bytes, 97 + i));
    wire.close();
    const read = async (reader: number): Promise<void> => {
      const socket = connect({ port: server.port, host: '127.0.0.1' }).pause();
      await once(socket, 'connect');
      const order = Array.from({ length: 16 }, (_, n) => (n * 7 + reader) % sizes.length);
      socket.write(Buffer.concat(order.map((i) => requestBytes('GET', `value:${i}`))));
      const expected = order.map(
        (i) => `$${sizes[i]}\r\n${String.fromCharCode(97 + i).repeat(sizes[i])}\r\n`,
      );
      let left = Buffer.from(expected.join(''));
      // Other readers ask and fill buffers before this one begins to read.
      await new Promise((resolve) => setImmediate(resolve));
      for await (const chunk of socket) {
        expect(left.subarray(0, chunk.length).equals(chunk)).toBe(true);
        left = left.subarray(chunk.length);
        if (left.length === 0) break;
      }
      expect(left.length).toBe(0);
    };
    await Promise.all(Array.from({ length: 6 }, (_, reader) => read(reader)));
    expect(await server.stop()).toBe(0);
  });
});
