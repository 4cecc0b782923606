/** The client that reads through a cache, and what else asks many things at once, against a cache of a few lines. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readThrough } from '../../bench/support/cache-aside.ts';
import { countReplies } from '../../bench/support/client.ts';
import { keyRequests } from '../../bench/support/key-requests.ts';
import { memcachedStats } from '../../bench/support/memcached.ts';

const VALUE_BYTES = 100_000;

let server: Server;
let port = 0;
const kept = new Map<string, string>();

/** Answers whole requests of memcached's text protocol, as far as these tests send them; bytes of a half one are left. */
function answerAll(text: string): { answers: string; left: string } {
  let left = text;
  let answers = '';
  for (;;) {
    const end = left.indexOf('\r\n');
    if (end < 0) return { answers, left };
    const [command, key, , , bytes] = left.slice(0, end).split(' ');
    const valueEnd = end + 2 + (command === 'set' ? Number(bytes) + 2 : 0);
    if (left.length < valueEnd) return { answers, left };
    if (command === 'set') kept.set(key, left.slice(end + 2, valueEnd - 2));
    answers += answerOne(command, kept.get(key));
    left = left.slice(valueEnd);
  }
}

function answerOne(command: string, value: string | undefined): string {
  if (command === 'set') return 'STORED\r\n';
  if (command === 'stats') return 'STAT bytes 12\r\nSTAT curr_items 3\r\nEND\r\n';
  if (command === 'me') return value === undefined ? 'EN\r\n' : 'ME k exp=-1\r\n';
  return value === undefined ? 'END\r\n' : `VALUE k 0 ${value.length}\r\n${value}\r\nEND\r\n`;
}

beforeEach(async () => {
  kept.clear();
  server = createServer((socket) => {
    let text = '';
    socket.on('data', (chunk) => {
      const { answers, left } = answerAll(text + chunk.toString('latin1'));
      text = left;
      if (answers !== '') socket.write(answers);
    });
    socket.on('error', () => undefined);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
});

afterEach(() => void server.close());

/** Reads keys 0, 1, 2, ... and from 300 on those again. */
function workloadOf(bytesOf: (key: number) => number) {
  let read = -1;
  const next = (): number => {
    read += 1;
    return read % 300;
  };
  return { name: 'round and round', keys: 300, next, bytesOf };
}

describe('the client of a cache', () => {
  test('writes what it missed, once, and finds it when it comes again', async () => {
    const plan = { port, protocol: 'memcached', countedFrom: 0 } as const;
    const result = await readThrough(
      plan,
      workloadOf((key) => key),
      1000,
    );
    expect(result).toEqual({ reads: 1000, hits: 700, refused: 0 });
    expect(kept.size).toBe(300);
    expect(kept.get('key:000000000007')).toBe('x'.repeat(7));
  });

  test('counts from when it is told, in whole batches', async () => {
    const plan = { port, protocol: 'memcached', countedFrom: 512 } as const;
    const result = await readThrough(
      plan,
      workloadOf(() => 1),
      1024,
    );
    expect(result).toEqual({ reads: 512, hits: 512, refused: 0 });
  });

  test('reads values of any length', async () => {
    const plan = { port, protocol: 'memcached', countedFrom: 0 } as const;
    const large = workloadOf((key) => (key % 100 === 0 ? VALUE_BYTES : 0));
    expect((await readThrough(plan, large, 600)).hits).toBe(300);
  });

  test('refuses what it cannot read', async () => {
    const plan = { port, protocol: 'resp', countedFrom: 0 } as const;
    await expect(
      readThrough(
        plan,
        workloadOf(() => 1),
        10,
      ),
    ).rejects.toThrow('unexpected');
  });
});

test('probes are counted by how their replies begin, however many there are', async () => {
  const { probe, probeHit } = keyRequests('memcached');
  for (let key = 0; key < 700; key += 1) kept.set(`k${key}`, '');
  const requests = Array.from({ length: 1234 }, (_, key) => probe(`k${key}`));
  expect(await countReplies(port, requests, probeHit)).toBe(700);
});

test('statistics are read to their end', async () => {
  expect([...(await memcachedStats(port))]).toEqual([
    ['bytes', '12'],
    ['curr_items', '3'],
  ]);
});
