/** What one node takes in for all: real nodes, and clients that each know only one of them. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startCluster, type TestCluster } from '../support/cluster.ts';
import { describeWithEtcd } from '../support/etcd.ts';
import { requestBytes } from '../support/request-bytes.ts';
import { openWire, type Wire } from '../support/wire.ts';

const START_MS_MAX = 90_000;
const KEYS = Array.from({ length: 300 }, (_, index) => `key:${index}`);

describeWithEtcd('any node takes any key', () => {
  let cluster: TestCluster;
  let wires: Wire[];

  beforeAll(async () => {
    cluster = await startCluster({ flags: ['--cluster-peer-timeout', '5000'] });
    wires = await Promise.all(cluster.nodes.map(({ port }) => openWire(port)));
  }, START_MS_MAX);

  afterAll(async () => {
    for (const wire of wires ?? []) wire.close();
    await cluster?.remove();
  });

  it('a pipeline over all nodes is answered in its order, in either protocol', async () => {
    for (const [index, wire] of wires.entries()) {
      if (index > 0) await wire.ask('HELLO', '3');
      wire.socket.write(
        Buffer.concat(
          KEYS.flatMap((key) => [
            requestBytes('SET', key, `${index}:${key}`),
            requestBytes('GET', key),
            requestBytes('PING'),
            requestBytes('HGET', key),
          ]),
        ),
      );
      for (const key of KEYS) {
        expect(await wire.line()).toBe('+OK');
        expect(String(await wire.reply())).toBe(`${index}:${key}`);
        expect(await wire.line()).toBe('+PONG');
        expect(await wire.line()).toMatch(/^-ERR/);
      }
    }
  });

  it('CLUSTER LINKS names the connections, at either end', async () => {
    const ids = await Promise.all(wires.map(async (wire) => String(await wire.ask('CLUSTER', 'MYID'))));
    const fields = [
      'direction',
      'node',
      'create-time',
      'events',
      'send-buffer-allocated',
      'send-buffer-used',
    ];
    const links = (await wires[0].ask('CLUSTER', 'LINKS')) as string[][];
    for (const link of links) expect(link.filter((_, index) => index % 2 === 0)).toEqual(fields);
    const ends = links.map(([, direction, , node]) => `${direction} ${ids.indexOf(node)}`);
    expect([...new Set(ends)].sort()).toEqual(['from 1', 'from 2', 'to 1', 'to 2']);
  });

  it('commands over keys of all nodes are done in parts', async () => {
    const [first, second, third] = wires;
    expect(await first.ask('MSET', ...KEYS.flatMap((key) => [key, `m${key}`]))).toBe('+OK');
    expect(await second.ask('MGET', ...KEYS, 'none')).toEqual([...KEYS.map((key) => `m${key}`), null]);
    expect(await third.ask('EXISTS', ...KEYS)).toBe(`:${KEYS.length}`);
    for (const wire of wires) expect(await wire.ask('DBSIZE')).toBe(`:${KEYS.length}`);
    expect(((await second.ask('KEYS', '*')) as string[]).sort()).toEqual([...KEYS].sort());
    expect(KEYS).toContain(await third.ask('RANDOMKEY'));
  });

  it('SCAN finds every key once, begun at one node and gone on with at others', async () => {
    const found: string[] = [];
    let cursor = '0';
    let page = 0;
    do {
      const wire = wires[page % wires.length];
      const [next, keys] = (await wire.ask('SCAN', cursor, 'COUNT', '20')) as [string, string[]];
      found.push(...keys);
      cursor = next;
      page += 1;
    } while (cursor !== '0');
    expect(found.sort()).toEqual([...KEYS].sort());
  });

  it('a transaction goes to the node of its keys', async () => {
    for (const wire of wires) {
      for (const key of KEYS.slice(0, 6)) {
        for (const words of [['MULTI'], ['SET', key, '1'], ['INCR', key], ['GET', key]])
          await wire.ask(...words);
        expect(await wire.ask('EXEC')).toEqual(['+OK', ':2', '2']);
      }
    }
  });

  it('a message reaches the subscribers of all nodes', async () => {
    const listeners = await Promise.all(cluster.nodes.map(({ port }) => openWire(port)));
    for (const listener of listeners) await listener.ask('SUBSCRIBE', 'news');
    for (const [index, wire] of wires.entries())
      expect(await wire.ask('PUBLISH', 'news', `${index}`)).toBe(':3');
    for (const listener of listeners) {
      for (const index of wires.keys()) expect(String(await listener.reply())).toBe(`message,news,${index}`);
      listener.close();
    }
  });

  it('FLUSHALL empties all nodes', async () => {
    expect(await wires[1].ask('FLUSHALL')).toBe('+OK');
    for (const wire of wires) expect(await wire.ask('DBSIZE')).toBe(':0');
  });
});
