/** Commands that several nodes execute in parts, over real sockets to nodes that are fakes. */
import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { joinReplies } from '../../src/cluster/gather.ts';
import { NO_NODE, TOPOLOGY_EPOCH } from '../../src/routing/node-table.ts';
import { SLOT_COUNT } from '../../src/routing/slot.ts';
import { setSlot } from '../support/cluster-table.ts';
import {
  bulk,
  createForwardWorld,
  type ForwardWorld,
  keyOfNode,
  sendAll,
  slotOf,
  until,
} from '../support/forward-world.ts';
import type { WorldClient } from '../support/serving-world.ts';

const OK = '+OK\r\n';
const PONG = '+PONG\r\n';
const KEYS = Array.from({ length: 9 }, (_, index) => keyOfNode(index % 3, `k${index}`));

let world: ForwardWorld;
let client: WorldClient;
let draw = 0;

beforeEach(async () => {
  world = await createForwardWorld(['--cluster-peer-timeout', '400'], () => draw);
  client = world.connect();
});
afterEach(() => world.close());

const received = async (text: string) => {
  await until(() => client.received().length >= text.length);
  expect(client.received()).toBe(text);
};

const answerAll = (answer: (words: string[], node: number) => string | undefined) => {
  world.peers.forEach((peer, node) => {
    peer.answer = (words) => answer(words, node);
  });
};

describe('keys of several nodes', () => {
  it('MGET: each node gives its values, and they come in the order of the keys', async () => {
    answerAll(
      ([, ...keys]) =>
        `*${keys.length}\r\n${keys.map((key) => (key === KEYS[4] ? '$-1\r\n' : bulk(`v${key}`))).join('')}`,
    );
    sendAll(client, ['MGET', ...KEYS], ['PING']);
    const values = KEYS.map((key, index) => (index === 4 ? '$-1\r\n' : bulk(`v${key}`)));
    await received(`*9\r\n${values.join('')}${PONG}`);
    expect(world.peers.map(({ requests }) => requests)).toEqual(
      [0, 1, 2].map((node) => [`MGET ${KEYS.filter((_, index) => index % 3 === node).join(' ')}`]),
    );
  });

  it('MSET: each node is given its pairs, and one OK stands for all', async () => {
    client.send('MSET', ...KEYS.flatMap((key) => [key, `v${key}`]));
    await received(OK);
    expect(world.peers[1].requests).toEqual([
      `MSET ${KEYS.filter((_, index) => index % 3 === 1)
        .map((key) => `${key} v${key}`)
        .join(' ')}`,
    ]);
  });

  it.each(['DEL', 'UNLINK', 'EXISTS', 'TOUCH'])('%s: the counts are added up', async (name) => {
    answerAll((words, node) => `:${words.length + 10 * node}\r\n`);
    client.send(name, ...KEYS);
    await received(':42\r\n');
  });

  it.each([
    ['MSETNX', ...KEYS.flatMap((key) => [key, 'v'])],
    ['RENAME', KEYS[0], KEYS[1]],
    ['COPY', KEYS[0], KEYS[1]],
    ['LCS', KEYS[0], KEYS[1]],
  ])('%s is for one node only', async (...words) => {
    client.send(...words);
    await received("-CROSSSLOT Keys in request don't hash to the same slot\r\n");
  });

  it('keys of one node go to several when some have moved on the way, and nobody sees it', async () => {
    const [, first, second] = world.peers;
    const [stays, gone] = [KEYS[1], KEYS[4]];
    first.answer = ([, ...keys]) =>
      keys.includes(gone)
        ? `-MOVED ${slotOf(gone)} 127.0.0.1:${second.port}\r\n`
        : `*1\r\n${bulk(`first ${keys[0]}`)}`;
    second.answer = ([name, ...keys]) => {
      if (name === 'ASKING') return OK;
      return keys.includes(stays)
        ? `-MOVED ${slotOf(stays)} 127.0.0.1:${first.port}\r\n`
        : `*1\r\n${bulk(`second ${keys[0]}`)}`;
    };
    sendAll(client, ['MGET', stays, gone], ['SET', KEYS[0], '1']);
    await received(`*2\r\n${bulk(`first ${stays}`)}${bulk(`second ${gone}`)}${OK}`);
  });

  it('a part whose slots have moved is asked for again slot by slot, each where it is', async () => {
    const [, first, second] = world.peers;
    const mine = KEYS.filter((_, index) => index % 3 === 1);
    const gone = mine[2];
    first.answer = ([, ...keys]) =>
      keys.includes(gone)
        ? `-MOVED ${slotOf(gone)} 127.0.0.1:${second.port}\r\n`
        : `*${keys.length}\r\n${keys.map(bulk).join('')}`;
    for (const peer of [world.peers[0], second]) {
      peer.answer = ([name, ...keys]) =>
        name === 'ASKING' ? OK : `*${keys.length}\r\n${keys.map(bulk).join('')}`;
    }
    client.send('MGET', ...KEYS);
    await received(`*9\r\n${KEYS.map(bulk).join('')}`);
    expect(first.requests).toEqual([`MGET ${mine.join(' ')}`, ...mine.map((key) => `MGET ${key}`)]);
    expect(second.requests).toContain('ASKING');
  });

  it('a read of which a part fails is an error that names the node', async () => {
    answerAll(([, ...keys], node) =>
      node === 1 ? undefined : `*${keys.length}\r\n${keys.map(bulk).join('')}`,
    );
    sendAll(client, ['MGET', ...KEYS], ['PING']);
    await until(() => client.received().endsWith(PONG));
    expect(client.received()).toMatch(/^-CLUSTERDOWN node b+ \([^)]+\) does not answer: [^\r]+\r\n\+PONG/);
  });

  it('a change that was made on some nodes only says so', async () => {
    answerAll((_, node) => (node === 2 ? '-OOM command not allowed\r\n' : OK));
    client.send('MSET', ...KEYS.flatMap((key) => [key, 'v']));
    await received('-IOERR MSET was executed on some nodes only, 2 of 3 parts: OOM command not allowed\r\n');
  });

  it('one that was made nowhere is the error itself', async () => {
    answerAll(() => '-OOM command not allowed\r\n');
    client.send('MSET', ...KEYS.flatMap((key) => [key, 'v']));
    await received('-OOM command not allowed\r\n');
  });

  it('values of any bytes find their places, however the keys are spread', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(3), fc.option(fc.string({ unit: fc.constantFrom('\r', '\n', '$', 'a') }))), {
          minLength: 1,
        }),
        (keys) => {
          const replyOf = (value: string | null) => (value === null ? '$-1\r\n' : bulk(value));
          const parts = [0, 1, 2, 3].map((node) => {
            const own = keys.flatMap(([owner, value], place) => (owner === node ? [{ place, value }] : []));
            return {
              reply: Buffer.from(`*${own.length}\r\n${own.map(({ value }) => replyOf(value)).join('')}`),
              places: own.map(({ place }) => place),
            };
          });
          const whole = `*${keys.length}\r\n${keys.map(([, value]) => replyOf(value)).join('')}`;
          expect(Buffer.concat(joinReplies('pick', parts)).toString()).toBe(whole);
        },
      ),
    );
  });
});

describe('what a client sends behind a command in parts', () => {
  /** Node 0, which is this one, gets its part by a link, and answers when the test says so. */
  const heldPart = (reply: string) => {
    let isReleased = false;
    let release = () => {
      isReleased = true;
    };
    world.peers[0].answer = (_, socket) => {
      if (isReleased) return reply;
      release = () => socket.write(reply);
      return undefined;
    };
    return () => release();
  };

  it.each([
    [['DEL', KEYS[0], KEYS[1]], ':1\r\n', ':2\r\n'],
    [['MSET', KEYS[0], 'a', KEYS[1], 'b'], OK, OK],
    [['FLUSHALL'], OK, OK],
  ])('%j: is not executed here before this node has done its part', async (words, part, whole) => {
    answerAll(() => part);
    const release = heldPart(part);
    sendAll(client, words, ['SET', KEYS[0], 'later'], ['PING']);
    await until(() => world.peers[0].requests.length === 1);
    await until(() => world.peers[1].requests.length === 1);
    expect(world.harness.run('EXISTS', KEYS[0])).toBe(':0\r\n');
    release();
    await received(`${whole}${OK}${PONG}`);
    expect(world.harness.run('GET', KEYS[0])).toBe(bulk('later'));
  });

  it('comes at once where the parts have failed at once', async () => {
    for (let slot = 0; slot < SLOT_COUNT; slot += 1) setSlot(world.cluster, slot, NO_NODE);
    sendAll(client, ['DBSIZE'], ['PING']);
    await received(`-CLUSTERDOWN Hash slot not served\r\n${PONG}`);
  });
});

describe('all keys of all nodes', () => {
  it('DBSIZE is the sum', async () => {
    answerAll((_, node) => `:${node + 1}\r\n`);
    client.send('DBSIZE');
    await received(':6\r\n');
  });

  it('KEYS is all together', async () => {
    answerAll(([, pattern], node) => `*2\r\n${bulk(`${pattern}${node}`)}${bulk('x')}`);
    client.send('KEYS', 'a*');
    await received(`*6\r\n${[0, 1, 2].map((node) => bulk(`a*${node}`) + bulk('x')).join('')}`);
  });

  it.each(['FLUSHALL', 'FLUSHDB'])('%s is done everywhere', async (name) => {
    client.send(name, 'ASYNC');
    await received(OK);
    expect(world.peers.map(({ requests }) => requests)).toEqual([0, 1, 2].map(() => [`${name} ASYNC`]));
  });

  it('RANDOMKEY is drawn from a node by how many keys it has', async () => {
    const counts = [0, 3, 1];
    answerAll(([name], node) => (name === 'DBSIZE' ? `:${counts[node]}\r\n` : bulk(`of ${node}`)));
    let expected = '';
    for (const [chance, node] of [
      [0, 1],
      [0.74, 1],
      [0.75, 2],
      [0.99, 2],
    ]) {
      draw = chance;
      client.send('RANDOMKEY');
      expected += bulk(`of ${node}`);
      await received(expected);
    }
  });

  it('RANDOMKEY of no keys at all is null', async () => {
    answerAll(() => ':0\r\n');
    client.send('RANDOMKEY');
    await received('$-1\r\n');
  });
});

describe('SCAN', () => {
  const page = async (cursor: string, ...more: string[]): Promise<{ cursor: string; keys: string[] }> => {
    const before = client.received().length;
    client.send('SCAN', cursor, ...more);
    await until(() => client.received().length > before && client.received().endsWith('\r\n'));
    const lines = client.received().slice(before).split('\r\n');
    return { cursor: lines[2], keys: lines.slice(5, -1).filter((_, index) => index % 2 === 0) };
  };

  /** Each node has three pages of one key: its cursors are 0, 2^33 + 1, 7. */
  const answerScans = () => {
    const next: Record<string, string> = { '0': `${2 ** 33 + 1}`, [`${2 ** 33 + 1}`]: '7', '7': '0' };
    answerAll(
      ([, cursor, ...more], node) =>
        `*2\r\n${bulk(next[cursor])}*1\r\n${bulk(`${node}:${cursor}:${more.join(',')}`)}`,
    );
  };

  it('goes from node to node, each with its own cursors, and ends behind the last', async () => {
    answerScans();
    const found: string[] = [];
    let cursor = '0';
    do {
      const { cursor: next, keys } = await page(cursor, 'COUNT', '5');
      found.push(...keys);
      expect(Number(next)).toBeLessThan(2 ** 53);
      cursor = next;
    } while (cursor !== '0');
    const expected = [0, 1, 2].flatMap((node) =>
      ['0', `${2 ** 33 + 1}`, '7'].map((at) => `${node}:${at}:COUNT,5`),
    );
    expect(found).toEqual(expected);
  });

  it('begins anew when the topology has changed, for keys may have moved to a node that is done', async () => {
    answerScans();
    const { cursor } = await page('0');
    const middle = await page(cursor);
    world.cluster.table.numbers[TOPOLOGY_EPOCH] += 1;
    expect((await page(middle.cursor)).keys[0]).toBe('0:0:');
  });

  it('goes on where a node that owned slots owns none any more', async () => {
    answerScans();
    let { cursor } = await page('0');
    for (let pages = 0; pages < 3; pages += 1) ({ cursor } = await page(cursor));
    for (let slot = 1; slot < 16384; slot += 3) setSlot(world.cluster, slot, 2);
    expect((await page(cursor)).keys[0]).toBe('0:0:');
  });

  it.each(['x', '', '-1', '99999999999999999999'])('%j is no cursor', async (cursor) => {
    client.send('SCAN', cursor);
    await received('-ERR invalid cursor\r\n');
  });

  it('an error of a node is passed on', async () => {
    answerAll(() => '-ERR syntax error\r\n');
    client.send('SCAN', '0', 'NOPE');
    await received('-ERR syntax error\r\n');
  });

  it('an empty page of a node is one', async () => {
    answerAll(() => '*2\r\n$1\r\n5\r\n*0\r\n');
    client.send('SCAN', '0');
    await until(() => client.received().endsWith('*0\r\n'));
    expect(client.received()).toMatch(/^\*2\r\n\$\d+\r\n\d+\r\n\*0\r\n$/);
  });
});
