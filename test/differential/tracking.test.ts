/**
 * Client-side caching against redis-server: the same programs of several clients on both, one step after the other, and all
 * that each client gets compared after each step.
 */
import { connect, type Socket } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type DistcacheServer, startDistcache, WITHOUT_HTTP } from '../support/distcache-server.ts';
import { describeWithRedis, type RedisServer, startRedisServer } from '../support/redis-server.ts';
import { splitReplies } from '../support/replies.ts';
import { requestBytes } from '../support/request-bytes.ts';

/** A word of a command, or the id of a client of the program. */
type Word = string | { readonly idOf: number };
type Command = readonly Word[];
/** Commands that one client sends together. */
type Step = { readonly client: number; readonly commands: readonly Command[] };

type Peer = { readonly socket: Socket; id: string; text: string; wake: () => void };

const CLIENTS = 3;
/** The client that others have their messages sent to. */
const LISTENER = 2;
const RUNS = 30;
const STEPS_MAX = 30;
const TRACKING: Command = ['CLIENT', 'TRACKING', 'ON'];

const client = fc.nat({ max: CLIENTS - 1 });
const key = fc.constantFrom('a', 'b', 'ab', 'user:1', '\xff\r\n');
const prefix = fc.constantFrom('', 'a', 'ab', 'b', 'user:', 'user:1', '\xff', 'nobody');
const value = fc.constantFrom('1', 'value', '\0');

const read: fc.Arbitrary<Command> = fc.oneof(
  fc.tuple(fc.constantFrom('GET', 'EXISTS', 'TTL', 'TYPE', 'STRLEN', 'TOUCH', 'PTTL', 'get'), key),
  fc.array(key, { minLength: 1, maxLength: 3 }).map((keys) => ['MGET', ...keys]),
  fc.tuple(fc.constant('OBJECT'), fc.constant('REFCOUNT'), fc.constant('missing')),
  fc.tuple(fc.constant('GETRANGE'), key, fc.constant('0'), fc.constant('1')),
);
const write: fc.Arbitrary<Command> = fc.oneof(
  fc.tuple(fc.constantFrom('SET', 'APPEND', 'SETNX', 'GETSET'), key, value),
  fc.tuple(fc.constantFrom('DEL', 'UNLINK', 'GETDEL', 'PERSIST'), key),
  fc
    .tuple(fc.constantFrom('EXPIRE', 'GETEX'), key)
    .map(([name, name1]) => (name === 'EXPIRE' ? [name, name1, '100'] : [name, name1, 'EX', '100'])),
  fc.tuple(key).map(([name]) => ['EXPIRE', name, '-1']),
  fc.tuple(key, key).map(([one, other]) => ['MSET', one, 'x', other, 'y']),
  fc.tuple(fc.constantFrom('RENAME', 'COPY'), key, key),
  fc.tuple(fc.constant('SETRANGE'), key, fc.constant('1'), value),
  fc.tuple(key).map(([name]) => ['MOVE', name, '1']),
);
const option: fc.Arbitrary<Command> = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(fc.constantFrom('BCAST', 'OPTIN', 'OPTOUT', 'NOLOOP', 'noloop')) },
  fc.tuple(fc.constant('PREFIX'), prefix),
  fc.constant<Command>(['REDIRECT', { idOf: LISTENER }]),
  fc.tuple(fc.constant('REDIRECT'), fc.constantFrom('0', '-1', 'x', '999999', '9223372036854775808')),
  fc.tuple(fc.constantFrom('FOO', 'PREFIX', 'REDIRECT')),
);
const switching: fc.Arbitrary<Command> = fc
  .tuple(fc.constantFrom('ON', 'on', 'OFF', 'maybe', 'ON', 'ON'), fc.array(option, { maxLength: 3 }))
  .map(([mode, options]): Command => ['CLIENT', 'TRACKING', mode, ...options.flat()])
  .filter(hasOnePrefix);
const usual: fc.Arbitrary<Command> = fc.oneof(
  fc.constant<Command>(['CLIENT', 'TRACKING', 'ON']),
  fc.constantFrom<Command>(
    ['CLIENT', 'TRACKING', 'ON', 'OPTIN'],
    ['CLIENT', 'TRACKING', 'ON', 'OPTOUT'],
    ['CLIENT', 'TRACKING', 'ON', 'NOLOOP'],
    ['CLIENT', 'TRACKING', 'ON', 'BCAST'],
    ['CLIENT', 'TRACKING', 'ON', 'BCAST', 'PREFIX', 'a', 'PREFIX', 'user:'],
    ['CLIENT', 'TRACKING', 'ON', 'BCAST', 'NOLOOP'],
    ['CLIENT', 'TRACKING', 'OFF'],
  ),
  fc.constant<Command>(['CLIENT', 'TRACKING', 'ON', 'REDIRECT', { idOf: LISTENER }]),
  fc.constant<Command>(['CLIENT', 'TRACKING', 'ON', 'BCAST', 'REDIRECT', { idOf: LISTENER }]),
);
const caching: fc.Arbitrary<Command> = fc
  .constantFrom('YES', 'NO', 'yes', 'maybe')
  .map((answer): Command => ['CLIENT', 'CACHING', answer]);
const asking: fc.Arbitrary<Command> = fc.constantFrom<Command>(
  ['CLIENT', 'TRACKINGINFO'],
  ['CLIENT', 'GETREDIR'],
  ['CLIENT', 'GETREDIR', 'x'],
  ['CLIENT', 'TRACKING'],
  ['CLIENT', 'CACHING'],
);
const other: fc.Arbitrary<Command> = fc.constantFrom<Command>(
  ['HELLO', '3'],
  ['HELLO', '2'],
  ['SUBSCRIBE', 'channel'],
  ['UNSUBSCRIBE'],
  ['RESET'],
  ['FLUSHDB'],
  ['FLUSHALL'],
);

const commands: fc.Arbitrary<Command[]> = fc.oneof(
  { weight: 5, arbitrary: fc.array(read, { minLength: 1, maxLength: 2 }) },
  { weight: 5, arbitrary: fc.array(write, { minLength: 1, maxLength: 2 }) },
  { weight: 2, arbitrary: fc.tuple(usual) },
  { weight: 1, arbitrary: fc.tuple(switching) },
  { weight: 1, arbitrary: fc.tuple(asking) },
  { weight: 1, arbitrary: fc.tuple(other) },
  { weight: 2, arbitrary: fc.tuple(caching, fc.oneof(read, asking), read, asking) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.option(caching), fc.array(read, { maxLength: 2 }), fc.array(write, { maxLength: 2 }))
      .map(([before, reads, writes]) => [
        ...(before ? [before] : []),
        ['MULTI'],
        ...reads,
        ...writes,
        ['EXEC'],
      ]),
  },
);
const step: fc.Arbitrary<Step> = fc.record({ client, commands }).filter(isComparable);

/** With two prefixes that overlap redis-server answers twice. */
function hasOnePrefix(command: Command): boolean {
  return command.filter((word) => word === 'PREFIX').length < 2;
}

/** In RESP3, redis-server puts what others have redirected to a client into the middle of what EXEC answers it. */
function isComparable({ client, commands }: Step): boolean {
  return client !== LISTENER || !commands.some(([name, version]) => name === 'MULTI' || version === '3');
}

async function openPeer(port: number): Promise<Peer> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  const peer: Peer = { socket, id: '', text: '', wake: () => undefined };
  socket.on('data', (chunk) => {
    peer.text += chunk.toString('latin1');
    peer.wake();
  });
  await new Promise((resolve) => socket.once('connect', resolve));
  socket.write(requestBytes('CLIENT', 'ID'));
  peer.id = (await behindMark(peer, 'begin'))[0].slice(1, -2);
  return peer;
}

/** What a client has got up to the answer of a PING, which is left out. */
async function behindMark(peer: Peer, mark: string): Promise<string[]> {
  peer.socket.write(requestBytes('PING', mark));
  while (!peer.text.endsWith(`${mark}\r\n`)) {
    await new Promise<void>((resolve) => {
      peer.wake = resolve;
    });
  }
  const replies = splitReplies(peer.text);
  peer.text = '';
  return replies.slice(0, -1);
}

/** Messages that come one behind the other have no order. */
function inOrder(replies: readonly string[]): string[] {
  const ordered: string[] = [];
  let messages: string[] = [];
  for (const reply of replies) {
    if (/^>2\r\n\$10\r\ninvalidate|^\*3\r\n\$7\r\nmessage/.test(reply)) {
      messages.push(reply);
      continue;
    }
    ordered.push(...messages.sort(), reply);
    messages = [];
  }
  return [...ordered, ...messages.sort()];
}

/** All that each client gets, step by step; `#k` for the id of client k. */
async function runProgram(port: number, program: readonly Step[]): Promise<string[][][]> {
  const peers: Peer[] = [];
  for (let index = 0; index <= CLIENTS; index += 1) peers.push(await openPeer(port));
  // One that never stops, so that what was read before by one that stopped and began again is still known.
  await say(peers, { client: CLIENTS, commands: [['FLUSHALL'], ['CLIENT', 'TRACKING', 'ON']] }, 'first');
  // Two that hear themselves; one that hears of what others have redirected to it.
  for (const client of [0, 1]) await say(peers, { client, commands: [['HELLO', '3'], TRACKING] }, 'then');
  await say(peers, { client: LISTENER, commands: [['SUBSCRIBE', 'channel']] }, 'then');
  const told: string[][][] = [];
  for (const [index, step] of program.entries()) told.push(await say(peers, step, `mark-${index}-`));
  for (const { socket } of peers) socket.destroy();
  return told;
}

async function say(peers: readonly Peer[], { client, commands }: Step, mark: string): Promise<string[][]> {
  const words = (command: Command) =>
    command.map((word) => (typeof word === 'string' ? Buffer.from(word, 'latin1') : peers[word.idOf].id));
  peers[client].socket.write(Buffer.concat(commands.map((command) => requestBytes(...words(command)))));
  const first = await behindMark(peers[client], `${mark}self`);
  const all: string[][] = [];
  for (const [index, peer] of peers.entries()) {
    const got = await behindMark(peer, `${mark}${index}`);
    all.push(inOrder(index === client ? [...first, ...got] : got).map((reply) => comparable(reply, peers)));
  }
  return all;
}

/** What of a reply is the same on both servers, whenever it was asked for. */
function comparable(reply: string, peers: readonly Peer[]): string {
  // What HELLO says differs as it should.
  if (reply.includes('proto\r\n')) return 'HELLO';
  // Which null it is goes by the one that listens, in redis-server by the one that has redirected.
  if (reply.endsWith('__redis__:invalidate\r\n_\r\n')) return reply.replace(/_\r\n$/, '$-1\r\n');
  // What is left of a hundred seconds.
  if (/^:(9\d|100)(\d{3})?\r\n$/.test(reply)) return ':left\r\n';
  if (!/redirect|^:/.test(reply)) return reply;
  return peers.reduce((text, { id }, index) => text.replace(`:${id}\r\n`, `#${index}`), reply);
}

describeWithRedis('client-side caching against redis-server', () => {
  let oracle: RedisServer;
  let server: DistcacheServer;
  beforeAll(async () => {
    [oracle, server] = await Promise.all([
      startRedisServer(),
      startDistcache(['--workers', '1', '--appendonly', 'no', '--save', '', ...WITHOUT_HTTP]),
    ]);
    // Ids that no answer of a command is by chance.
    for (const { port } of [oracle, server]) {
      const first = await openPeer(port);
      for (let id = Number(first.id); id < 1000; ) {
        const peers = await Promise.all(Array.from({ length: 100 }, () => openPeer(port)));
        id = Math.max(...peers.map((peer) => Number(peer.id)));
        for (const { socket } of peers) socket.destroy();
      }
      first.socket.destroy();
    }
  });
  afterAll(() => Promise.all([oracle.stop(), server.stop()]));

  it('random programs of three clients get the same replies and messages', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: STEPS_MAX }), async (program) => {
        expect(await runProgram(server.port, program)).toEqual(await runProgram(oracle.port, program));
      }),
      { numRuns: RUNS },
    );
  });
});
