/** Under `appendfsync always` replies wait for the disk, on real sockets: each client gets its own, whole and in order. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type DistcacheServer, startDistcache, WITHOUT_HTTP } from '../support/distcache-server.ts';
import { infoField } from '../support/readings.ts';
import { requestBytes } from '../support/request-bytes.ts';
import { openWire, type Wire } from '../support/wire.ts';

const CLIENTS = 16;
const ROUNDS = 12;
const INCREMENTS = 5;

let server: DistcacheServer;
beforeAll(async () => {
  server = await startDistcache(['--workers', '2', '--appendfsync', 'always', '--save', '', ...WITHOUT_HTTP]);
});
afterAll(async () => {
  await server.stop();
});

/** Every kind of wait in one pipeline: commits, other workers' syncs, a deferred reply, and reads behind them. */
async function converse(wire: Wire, client: number): Promise<void> {
  const mine = `count:${client}`;
  for (let round = 0; round < ROUNDS; round += 1) {
    const value = `${client}:${round}`;
    const increments = Array.from({ length: INCREMENTS }, () => requestBytes('INCR', mine));
    wire.socket.write(
      Buffer.concat([
        ...increments.map((bytes) => Buffer.from(bytes)),
        Buffer.from(requestBytes('MSET', `a:${client}`, value, `b:${client}`, value, 'shared', value)),
        Buffer.from(requestBytes('WAITAOF', '1', '0', '0')),
        Buffer.from(requestBytes('MGET', `a:${client}`, `b:${client}`)),
        Buffer.from(requestBytes('ECHO', value)),
      ]),
    );
    for (let step = 1; step <= INCREMENTS; step += 1) {
      expect(await wire.reply()).toBe(`:${round * INCREMENTS + step}`);
    }
    expect(await wire.reply()).toBe('+OK');
    expect(await wire.reply()).toEqual([':1', ':0']);
    expect(String(await wire.reply())).toBe(`${value},${value}`);
    expect(String(await wire.reply())).toBe(value);
  }
}

it('many clients that wait for the disk get their replies in order, and readers go on', async () => {
  const wires = await Promise.all(Array.from({ length: CLIENTS }, () => openWire(server.port)));
  await Promise.all(wires.map(converse));
  const [wire] = wires;
  expect(await infoField(wire, 'aof_enabled')).toBe(1);
  for (let client = 0; client < CLIENTS; client += 1) {
    expect(await wire.ask('GET', `count:${client}`)).toBe(String(ROUNDS * INCREMENTS));
  }
  for (const one of wires) one.close();
});

it('a client that quits behind its writes, or closes its side, is answered first', async () => {
  const [quits, ends] = await Promise.all([openWire(server.port), openWire(server.port)]);
  const write = Buffer.from(requestBytes('SET', 'last', 'word'));
  quits.socket.write(Buffer.concat([write, Buffer.from(requestBytes('QUIT')), write]));
  ends.socket.end(Buffer.concat([write, write]));
  expect(String(await quits.rest())).toBe('+OK\r\n+OK\r\n');
  expect(String(await ends.rest())).toBe('+OK\r\n+OK\r\n');
});
