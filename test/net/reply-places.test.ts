/** Replies that other nodes make, among those that are made here: in order, however late they come. */
import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Forwarder } from '../../src/commands/cluster-view.ts';
import type { ReplyPlace, ReplyPlaces } from '../../src/commands/session.ts';
import { FORWARDED_BYTES_PER_CLIENT_MAX, FORWARDS_PER_CLIENT_MAX } from '../../src/config/limits-cluster.ts';
import { slotOfKey } from '../../src/routing/slot.ts';
import { clusterTable, setSlot } from '../support/cluster-table.ts';
import { until } from '../support/forward-world.ts';
import { requestBytes } from '../support/request-bytes.ts';
import { createServingWorld, type ServingWorld, type WorldClient } from '../support/serving-world.ts';

const PONG = '+PONG\r\n';
const OK = '+OK\r\n';
/** A key of this node, and one of another. */
const OWN = keyOf(0);
const OTHER = keyOf(1);

function keyOf(node: number): string {
  let key = 'key';
  while (slotOfKey(Buffer.from(key), 0, key.length) % 2 !== node) key += '.';
  return key;
}

type Sent = { readonly words: string; readonly places: ReplyPlaces; readonly place: ReplyPlace };

type World = ServingWorld & { readonly sent: Sent[]; readonly cluster: ReturnType<typeof clusterTable> };

/** A world in which what is forwarded waits until a test answers it. */
function createWorld(flags: readonly string[] = [], appendfsync = 'no'): World {
  const cluster = clusterTable({ nodes: 2 });
  const sent: Sent[] = [];
  const forwarder: Partial<Forwarder> = {
    forward: ({ input, spans, count, session }) => {
      const words = Array.from({ length: count }, (_, i) =>
        input.toString('latin1', spans[2 * i], spans[2 * i + 1]),
      ).join(' ');
      const { places } = session.connection;
      if (places === undefined) throw new Error('a client of RESP has places');
      sent.push({ words, places, place: places.open() });
    },
    canScatter: () => false,
    countReplicas: () => undefined,
    reaches: () => true,
  };
  cluster.forwarder = forwarder as Forwarder;
  const world = createServingWorld({ appendfsync, flags, cluster });
  return Object.assign(world, { sent, cluster });
}

function answer({ places, place }: Sent, text: string): void {
  places.add(place, Buffer.from(text, 'latin1'));
  places.end(place);
}

const bulk = (text: string) => `$${text.length}\r\n${text}\r\n`;

async function turn(world: World): Promise<void> {
  world.turn();
  await world.settle();
}

function pipeline(client: WorldClient, ...commands: string[][]): void {
  client.sendBytes(...commands.map((words) => requestBytes(...words)));
}

describe('the order of replies', () => {
  it('commands behind one that another node answers run at once, and their replies come behind its', async () => {
    const world = createWorld();
    const client = world.connect();
    pipeline(client, ['SET', OWN, '1'], ['GET', OTHER], ['GET', OWN], ['PING']);
    await turn(world);
    expect(world.sent.map(({ words }) => words)).toEqual([`GET ${OTHER}`]);
    expect(client.received()).toBe(OK);
    expect(world.harness.run('GET', OWN)).toBe(bulk('1'));
    answer(world.sent[0], bulk('x'));
    await turn(world);
    expect(client.received()).toBe(OK + bulk('x') + bulk('1') + PONG);
  });

  it('is kept in whatever order the answers come, with local commands anywhere between, in any turns', async () => {
    const step = fc.constantFrom('own', 'other', 'turn', 'answer');
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 30 }),
        fc.infiniteStream(fc.nat()),
        async (steps, chance) => {
          const world = createWorld();
          const client = world.connect();
          const open: [Sent, string][] = [];
          let expected = '';
          for (const [index, kind] of steps.entries()) {
            const reply = bulk(`${index}`);
            if (kind === 'own' || kind === 'other') {
              const seen = world.sent.length;
              client.send(...(kind === 'own' ? ['ECHO', `${index}`] : ['GET', OTHER]));
              expected += reply;
              if (world.sent.length > seen) open.push([world.sent[seen], reply]);
            } else if (kind === 'turn') {
              await turn(world);
            } else if (open.length > 0) {
              const [[sent, text]] = open.splice(chance.next().value % open.length, 1);
              sent.places.add(sent.place, Buffer.from(text.slice(0, 2)));
              sent.places.add(sent.place, Buffer.from(text.slice(2)));
              sent.places.end(sent.place);
            }
            expect(expected.startsWith(client.received())).toBe(true);
          }
          for (const [sent, text] of open) answer(sent, text);
          await turn(world);
          expect(client.received()).toBe(expected);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('what has come of a large reply leaves before the rest is there, if nothing is before it', async () => {
    const world = createWorld();
    const client = world.connect();
    pipeline(client, ['GET', OTHER], ['GET', OTHER]);
    await turn(world);
    const [first, second] = world.sent;
    second.places.add(second.place, Buffer.from('$4\r\n'));
    await turn(world);
    expect(client.received()).toBe('');
    first.places.add(first.place, Buffer.from('$100\r\nabc'));
    await turn(world);
    expect(client.received()).toBe('$100\r\nabc');
  });

  it('a message to a subscriber waits behind the replies before it, not in the middle of one', async () => {
    const world = createWorld();
    const client = world.connect();
    client.send('HELLO', '3');
    client.send('SUBSCRIBE', 'news');
    await turn(world);
    const before = client.received();
    client.send('GET', OTHER);
    await turn(world);
    world.harness.run('PUBLISH', 'news', 'x');
    world.sent[0].places.add(world.sent[0].place, Buffer.from('$3\r\na'));
    await turn(world);
    world.harness.run('PUBLISH', 'news', 'y');
    world.sent[0].places.add(world.sent[0].place, Buffer.from('bc\r\n'));
    world.sent[0].places.end(world.sent[0].place);
    await turn(world);
    const message = (body: string) => `>3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n${bulk(body)}`;
    expect(client.received().slice(before.length)).toBe(`$3\r\nabc\r\n${message('x')}${message('y')}`);
  });

  it('a command that answers later keeps its place, and those behind it theirs', async () => {
    const world = createWorld();
    const client = world.connect();
    pipeline(client, ['GET', OTHER], ['CLIENT', 'LIST', 'TYPE', 'replica'], ['GET', OTHER], ['PING']);
    await turn(world);
    await turn(world);
    expect(world.sent).toHaveLength(2);
    answer(world.sent[1], bulk('2'));
    await turn(world);
    expect(client.received()).toBe('');
    answer(world.sent[0], bulk('1'));
    await turn(world);
    expect(client.received()).toBe(`${bulk('1')}${bulk('')}${bulk('2')}${PONG}`);
  });

  it('replies that wait for the disk wait with those of others behind them', async () => {
    const world = createWorld([], 'always');
    const client = world.connect();
    pipeline(client, ['GET', OTHER], ['SET', OWN, '1'], ['GET', OTHER]);
    await turn(world);
    answer(world.sent[1] ?? world.sent[0], bulk('b'));
    if (world.sent.length > 1) answer(world.sent[0], bulk('a'));
    await turn(world);
    expect(client.received()).toBe('');
    while (world.disk.pump() > 0) await world.settle();
    await turn(world);
    expect(client.received()).toBe(`${bulk('a')}${OK}${bulk('b')}`);
  });

  it('where the log cannot be written, errors stand for what was changed here and not for what others have done', async () => {
    const world = createWorld([], 'always');
    const client = world.connect();
    world.disk.setFreeBytes(0);
    pipeline(client, ['SET', OTHER, 'x'], ['SET', OWN, '1'], ['PING']);
    await turn(world);
    answer(world.sent[0], OK);
    await turn(world);
    expect(client.received()).toMatch(/^\+OK\r\n-MISCONF [^\r]+\r\n-MISCONF [^\r]+\r\n$/);
  });
});

describe('the end of a connection', () => {
  it.each([['QUIT'], ['end of input']])('%s waits for the replies that others make', async (how) => {
    const world = createWorld();
    const client = world.connect();
    client.send('GET', OTHER);
    if (how === 'QUIT') client.send('QUIT');
    else client.socket.emit('end');
    await turn(world);
    expect(client.isClosed()).toBe(false);
    answer(world.sent[0], bulk('x'));
    await turn(world);
    expect(client.received()).toBe(bulk('x') + (how === 'QUIT' ? OK : ''));
    expect(client.isClosed()).toBe(true);
  });

  it('a client that is gone gets nothing, and nothing breaks', async () => {
    const world = createWorld();
    const client = world.connect();
    client.send('GET', OTHER);
    await turn(world);
    client.socket.destroy();
    await world.settle();
    answer(world.sent[0], bulk('x'));
    await turn(world);
    expect(client.received()).toBe('');
  });
});

describe('CLIENT REPLY', () => {
  it('drops the replies of others as its own', async () => {
    const world = createWorld();
    const client = world.connect();
    pipeline(client, ['CLIENT', 'REPLY', 'SKIP'], ['GET', OTHER], ['GET', OTHER], ['CLIENT', 'REPLY', 'OFF']);
    pipeline(client, ['GET', OTHER], ['CLIENT', 'REPLY', 'ON']);
    await turn(world);
    expect(world.sent).toHaveLength(3);
    for (const [index, sent] of world.sent.entries()) answer(sent, bulk(`${index}`));
    await turn(world);
    expect(client.received()).toBe(bulk('1') + OK);
  });
});

describe('what waits', () => {
  it('a client with many replies missing waits with its next commands until half of them are there', async () => {
    const world = createWorld();
    const client = world.connect();
    const extra = 10;
    const all = FORWARDS_PER_CLIENT_MAX + extra;
    pipeline(client, ...Array.from({ length: all }, () => ['GET', OTHER]));
    await turn(world);
    expect(world.sent).toHaveLength(FORWARDS_PER_CLIENT_MAX);
    for (let index = 0; index < FORWARDS_PER_CLIENT_MAX / 2; index += 1) answer(world.sent[index], bulk('x'));
    await turn(world);
    expect(world.sent).toHaveLength(all);
    for (const sent of world.sent.slice(FORWARDS_PER_CLIENT_MAX / 2)) answer(sent, bulk('x'));
    await turn(world);
    expect(client.received()).toBe(bulk('x').repeat(all));
  });

  it('so does one for whom much is lined up, and CLIENT LIST counts it', async () => {
    const world = createWorld();
    const client = world.connect();
    pipeline(client, ['GET', OTHER], ['GET', OTHER]);
    await turn(world);
    const value = 'v'.repeat(FORWARDED_BYTES_PER_CLIENT_MAX);
    answer(world.sent[1], bulk(value));
    client.send('GET', OTHER);
    await turn(world);
    expect(world.sent).toHaveLength(2);
    const [session] = world.harness.engine.sessions.values();
    const sessions = [...world.harness.engine.sessions.values()];
    const bytes = Math.max(...sessions.map(({ connection }) => connection.outputBytes()));
    expect(session).toBeDefined();
    expect(bytes).toBe(bulk(value).length);
    answer(world.sent[0], bulk('x'));
    await turn(world);
    expect(world.sent).toHaveLength(3);
    answer(world.sent[2], bulk('y'));
    await turn(world);
    expect(client.received()).toBe(bulk('x') + bulk(value) + bulk('y'));
  });

  it('behind a change of the topology a client goes on when all its replies are there, so that nothing is overtaken', async () => {
    const world = createWorld();
    const client = world.connect();
    pipeline(client, ['SET', OTHER, '1'], ['SET', OTHER, '2']);
    await turn(world);
    setSlot(world.cluster, slotOfKey(Buffer.from(OTHER), 0, OTHER.length), 0);
    client.send('GET', OTHER);
    client.send('PING');
    await turn(world);
    expect(client.received()).toBe('');
    answer(world.sent[0], OK);
    await turn(world);
    expect(client.received()).toBe(OK);
    expect(world.sent).toHaveLength(2);
    answer(world.sent[1], OK);
    await turn(world);
    expect(client.received()).toBe(`${OK}${OK}$-1\r\n${PONG}`);
  });

  it('WAIT, which asks what became of all changes, waits until each is answered', async () => {
    const world = createWorld();
    const client = world.connect();
    pipeline(client, ['SET', OTHER, '1'], ['wait', '0', '0'], ['SET', OWN, '1']);
    await turn(world);
    expect(world.harness.run('EXISTS', OWN)).toBe(':0\r\n');
    answer(world.sent[0], OK);
    await turn(world);
    await until(() => client.received() === `${OK}:0\r\n${OK}`);
  });

  it('so it does behind HELLO, for replies in another protocol come by another way', async () => {
    const world = createWorld();
    const client = world.connect();
    pipeline(client, ['SET', OTHER, '1'], ['HELLO', '3'], ['GET', OTHER]);
    await turn(world);
    expect(world.sent).toHaveLength(1);
    answer(world.sent[0], OK);
    await turn(world);
    expect(world.sent.map(({ words }) => words)).toEqual([`SET ${OTHER} 1`, `GET ${OTHER}`]);
    answer(world.sent[1], '_\r\n');
    await turn(world);
    expect(client.received()).toMatch(/^\+OK\r\n%7\r\n[\s\S]*_\r\n$/);
  });
});
