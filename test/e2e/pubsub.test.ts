/** Publish and subscribe on the real server with two workers: order, counts, real clients, slow subscribers, workers that die. */
import { spawn } from 'node:child_process';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type DistcacheServer, startDistcache } from '../support/distcache-server.ts';
import { eventually, infoField, residentBytes } from '../support/readings.ts';
import { requestBytes } from '../support/request-bytes.ts';
import { describeWithTools, runTool } from '../support/tools.ts';
import { openWire, type Wire } from '../support/wire.ts';

const WORKERS = 2;
const REDIS_CLI = 'redis-cli';
const MIB = 2 ** 20;

let server: DistcacheServer;
let opened: Wire[];
beforeAll(async () => {
  server = await startDistcache(['--workers', `${WORKERS}`, '--enable-debug-command', 'yes']);
});
beforeEach(() => {
  opened = [];
});
afterEach(async () => {
  for (const { close } of opened) close();
  const last = await openWire(server.port);
  await eventually(async () => (await infoField(last, 'connected_clients')) === 1);
  last.close();
});
afterAll(() => server.stop());

/** So many connections of each worker, by worker: a client's number tells whose it is. */
async function openOnEach(count: number): Promise<Wire[][]> {
  const wires: Wire[][] = Array.from({ length: WORKERS }, () => []);
  while (wires.some((own) => own.length < count)) {
    const wire = await openWire(server.port);
    const id = Number(String(await wire.ask('CLIENT', 'ID')).slice(1));
    opened.push(wire);
    wires[(id - 1) % WORKERS].push(wire);
  }
  return wires;
}

async function message(wire: Wire): Promise<string> {
  return String(await wire.reply());
}

describe('messages', () => {
  it('of publishers on both workers reach subscribers on both, each publisher’s in order, and are counted', async () => {
    const MESSAGES = 4_000;
    const [[one, publisher], [other, another]] = await openOnEach(2);
    await one.ask('SUBSCRIBE', 'a');
    await other.ask('PSUBSCRIBE', 'a*');
    for (const [index, wire] of [publisher, another].entries()) {
      const requests = Array.from({ length: MESSAGES }, (_, i) =>
        requestBytes('PUBLISH', 'a', `${index}:${i}`),
      );
      wire.socket.write(Buffer.concat(requests));
    }
    for (const wire of [one, other]) {
      const next = [0, 0];
      for (let i = 0; i < 2 * MESSAGES; i += 1) {
        const [, , third, fourth] = String(await wire.reply()).split(',');
        const [index, number] = (fourth ?? third).split(':').map(Number);
        if (number !== next[index]) expect(number).toBe(next[index]);
        next[index] += 1;
      }
      expect(next).toEqual([MESSAGES, MESSAGES]);
    }
    for (const wire of [publisher, another]) {
      for (let i = 0; i < MESSAGES; i += 1) if ((await wire.reply()) !== ':2') expect(i).toBe(-1);
    }
  });

  it('published after a confirmation are never missed, whichever worker, and not sent after the end of a subscription', async () => {
    const [[listens], [publishes]] = await openOnEach(1);
    for (let i = 0; i < 200; i += 1) {
      expect(await listens.ask('SUBSCRIBE', `c${i}`)).toEqual(['subscribe', `c${i}`, ':1']);
      expect(await publishes.ask('PUBLISH', `c${i}`, 'x')).toBe(':1');
      expect(await message(listens)).toBe(`message,c${i},x`);
      expect(await listens.ask('UNSUBSCRIBE', `c${i}`)).toEqual(['unsubscribe', `c${i}`, ':0']);
      expect(await publishes.ask('PUBLISH', `c${i}`, 'x')).toBe(':0');
      expect(await publishes.ask('PUBSUB', 'CHANNELS')).toEqual([]);
    }
  });

  it('of one’s own come between one’s own confirmations and replies', async () => {
    const [[wire]] = await openOnEach(1);
    await wire.ask('HELLO', '3');
    const commands = [
      ['PUBLISH', 'a', '0'],
      ['SUBSCRIBE', 'a'],
      ['PUBLISH', 'a', '1'],
      ['UNSUBSCRIBE', 'a'],
      ['PUBLISH', 'a', '2'],
    ];
    wire.socket.write(Buffer.concat(commands.map((command) => requestBytes(...command))));
    const heard: string[] = [];
    for (let i = 0; i < 6; i += 1) heard.push(String(await wire.reply()));
    expect(heard).toEqual([':0', 'subscribe,a,:1', 'message,a,1', ':1', 'unsubscribe,a,:0', ':0']);
  });

  it('of 20 MiB arrive whole on both workers', async () => {
    const [[one, publisher], [other]] = await openOnEach(2);
    await Promise.all([one, other].map((wire) => wire.ask('SUBSCRIBE', 'large')));
    const body = Buffer.alloc(20 * MIB, 'large ');
    publisher.socket.write(requestBytes('PUBLISH', 'large', body));
    for (const wire of [one, other]) {
      const [, , got] = (await wire.reply()) as Buffer[];
      expect(body.equals(got)).toBe(true);
    }
    expect(await publisher.reply()).toBe(':2');
  });

  it('may be published over HTTP, where nobody can subscribe, and keys changed over HTTP are told', async () => {
    const [[one], [other]] = await openOnEach(1);
    await one.ask('CONFIG', 'SET', 'notify-keyspace-events', 'KA');
    await one.ask('SUBSCRIBE', 'a');
    await other.ask('PSUBSCRIBE', '__keyspace@0__:*');
    const run = async (...commands: string[][]) => {
      const response = await fetch(`http://127.0.0.1:${server.httpPort}/v1/pipeline`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(commands),
      });
      return JSON.stringify(await response.json());
    };
    expect(await run(['PUBLISH', 'a', 'x'], ['SUBSCRIBE', 'a'], ['SET', 'k', 'v', 'EX', '100'])).toMatch(
      /^\[1,.*'subscribe' is not for HTTP.*,"OK"\]$/,
    );
    expect(await message(one)).toBe('message,a,x');
    const key = `http://127.0.0.1:${server.httpPort}/v1/keys/k`;
    await fetch(key, { method: 'PUT', body: 'w' });
    await fetch(key, { method: 'DELETE' });
    const heard: string[] = [];
    for (let i = 0; i < 4; i += 1) heard.push((await message(other)).split(',').at(-1) ?? '');
    expect(heard).toEqual(['set', 'expire', 'set', 'del']);
    expect(await one.ask('RESET')).toBe('+RESET');
    await one.ask('CONFIG', 'SET', 'notify-keyspace-events', '');
  });
});

describe('subscribers', () => {
  it('are not idle, whatever the timeout is', async () => {
    const [[listens], [publishes]] = await openOnEach(1);
    await publishes.ask('CONFIG', 'SET', 'timeout', '1');
    await listens.ask('SUBSCRIBE', 'a');
    await publishes.closed;
    const [[, late]] = await openOnEach(2);
    await late.ask('CONFIG', 'SET', 'timeout', '0');
    expect(await late.ask('PUBLISH', 'a', 'x')).toBe(':1');
    expect(await message(listens)).toBe('message,a,x');
  });

  it.each(['its own worker', 'the other one'])(
    'that do not read are closed at their limit, and keep up no other, with the publisher on %s',
    async (where) => {
      const [[slow, reads, near], [far, also]] = await openOnEach(3);
      const publisher = where === 'the other one' ? far : near;
      await publisher.ask('CONFIG', 'SET', 'client-output-buffer-limit', 'pubsub 8mb 2mb 60');
      for (const wire of [slow, reads, also]) await wire.ask('SUBSCRIBE', 'a');
      slow.socket.pause();
      const before = residentBytes(server.pid);
      const body = 'x'.repeat(64 * 1024);
      let isClosed = false;
      let sent = 0;
      for (; !isClosed && sent < 4000; sent += 1) {
        const receivers = await publisher.ask('PUBLISH', 'a', body);
        isClosed = receivers === ':2';
        for (const wire of [reads, also])
          if (!(await message(wire)).startsWith('message,a,x')) expect(sent).toBe(-1);
      }
      expect(isClosed).toBe(true);
      expect(residentBytes(server.pid) - before).toBeLessThan(150 * MIB);
      await eventually(() => server.output().includes('over client-output-buffer-limit'));
      await publisher.ask('CONFIG', 'SET', 'client-output-buffer-limit', 'pubsub 32mb 8mb 60');
    },
  );

  it('are all served by a publisher that is faster than they are, in bounded memory', async () => {
    const MESSAGES = 4_000;
    const [[publisher], listeners] = await openOnEach(4);
    for (const wire of listeners) await wire.ask('SUBSCRIBE', 'a');
    const before = residentBytes(server.pid);
    const push = requestBytes('message', 'a', 'x'.repeat(8 * 1024));
    const requests = Array.from({ length: MESSAGES }, () =>
      requestBytes('PUBLISH', 'a', 'x'.repeat(8 * 1024)),
    );
    publisher.socket.write(Buffer.concat(requests));
    for (let i = 0; i < MESSAGES; i += 1) {
      for (const wire of listeners) {
        const got = await wire.take(push.length);
        if (!push.equals(got)) expect(got).toEqual(push);
      }
    }
    expect(residentBytes(server.pid) - before).toBeLessThan(200 * MIB);
  });

  it('go with their worker, are not counted any more, and may subscribe at its replacement', async () => {
    const [[stays, publisher], [goes, victim]] = await openOnEach(2);
    await stays.ask('SUBSCRIBE', 'a');
    await goes.ask('SUBSCRIBE', 'a', 'b');
    expect(await publisher.ask('PUBLISH', 'a', '1')).toBe(':2');
    victim.socket.write('DEBUG WORKER-EXIT\r\n');
    await Promise.all([goes.closed, victim.closed]);
    await eventually(async () => (await publisher.ask('PUBLISH', 'b', '2')) === ':0');
    await server.logged('worker 1 serves again');
    expect(await publisher.ask('PUBSUB', 'NUMSUB', 'a', 'b')).toEqual(['a', ':1', 'b', ':0']);
    const [, [fresh]] = await openOnEach(1);
    expect(await fresh.ask('PUBLISH', 'a', '3')).toBe(':1');
    expect(await fresh.ask('SUBSCRIBE', 'b')).toEqual(['subscribe', 'b', ':1']);
    expect(await publisher.ask('PUBLISH', 'b', '4')).toBe(':1');
    expect(await message(fresh)).toBe('message,b,4');
    for (const body of ['1', '3']) expect(await message(stays)).toBe(`message,a,${body}`);
  });
});

describe('the clients that programs use', () => {
  it('ioredis subscribes with a duplicate, to patterns and to shard channels too', async () => {
    const publisher = new Redis({ port: server.port });
    const subscriber = publisher.duplicate();
    const heard: string[] = [];
    subscriber.on('message', (channel, body) => heard.push(`${channel} ${body}`));
    subscriber.on('pmessage', (pattern, channel, body) => heard.push(`${pattern} ${channel} ${body}`));
    subscriber.on('smessage', (channel, body) => heard.push(`shard ${channel} ${body}`));
    expect(await subscriber.subscribe('news', 'sports')).toBe(2);
    expect(await subscriber.psubscribe('n*')).toBe(3);
    expect(await subscriber.ssubscribe('{1}a')).toBe(1);
    expect(await publisher.publish('news', '1')).toBe(2);
    expect(await publisher.publish('sports', '2')).toBe(1);
    expect(await publisher.spublish('{1}a', '3')).toBe(1);
    await eventually(() => heard.length === 4);
    expect(heard).toEqual(['news 1', 'n* news 1', 'sports 2', 'shard {1}a 3']);
    expect(await subscriber.ping()).toBe('PONG');
    expect(await subscriber.unsubscribe('news', 'sports')).toBe(1);
    expect(await publisher.publish('sports', '5')).toBe(0);
    for (const redis of [publisher, subscriber]) redis.disconnect();
  });

  it.each([2, 3] as const)(
    'node-redis subscribes over RESP%i, to patterns and to shard channels too',
    async (RESP) => {
      const publisher = await createClient({ url: `redis://127.0.0.1:${server.port}`, RESP }).connect();
      const subscriber = await publisher.duplicate().connect();
      const heard: string[] = [];
      const note = (body: string, channel: string) => heard.push(`${channel} ${body}`);
      await subscriber.subscribe(['news', 'sports'], note);
      await subscriber.pSubscribe('n*', note);
      await subscriber.sSubscribe('{1}a', note);
      expect(await publisher.publish('news', '1')).toBe(2);
      expect(await publisher.publish('sports', '2')).toBe(1);
      expect(await publisher.sPublish('{1}a', '3')).toBe(1);
      await eventually(() => heard.length === 4);
      expect(heard).toEqual(['news 1', 'news 1', 'sports 2', '{1}a 3']);
      expect(await publisher.pubSubNumSub(['news', 'sports'])).toEqual({ news: 1, sports: 1 });
      await subscriber.unsubscribe('news');
      await subscriber.pUnsubscribe();
      expect(await publisher.publish('news', '4')).toBe(0);
      for (const client of [publisher, subscriber]) client.destroy();
    },
  );
});

describeWithTools('redis-cli', [REDIS_CLI], () => {
  it('subscribes and publishes', async () => {
    const cli = ['-p', `${server.port}`];
    const subscriber = spawn(REDIS_CLI, [...cli, 'SUBSCRIBE', 'news'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let output = '';
    subscriber.stdout.on('data', (chunk) => {
      output += chunk;
    });
    await eventually(() => output.includes('subscribe\nnews\n1\n'));
    const { stdout } = await runTool(REDIS_CLI, [...cli, 'PUBLISH', 'news', 'hello']);
    expect(stdout).toBe('1\n');
    await eventually(() => output.endsWith('message\nnews\nhello\n'));
    subscriber.kill();
  });
});
