/** Commands that other nodes execute, over real sockets to nodes that are fakes. */
import { type AddressInfo, createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FORWARD_FAILURES, FORWARDS } from '../../src/metrics/names.ts';
import { setSlot } from '../support/cluster-table.ts';
import type { FakePeer } from '../support/fake-peer.ts';
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
const [OWN, NEXT, LAST] = [0, 1, 2].map((node) => keyOfNode(node));
const QUICK = ['--cluster-peer-timeout', '200', '--cluster-breaker-reset-ms', '50'];

let world: ForwardWorld;
let client: WorldClient;

async function open(...flags: string[]): Promise<void> {
  await world?.close();
  world = await createForwardWorld(flags);
  client = world.connect();
}

beforeEach(() => open());
afterEach(() => world.close());

/** Waits for so many replies' bytes. */
const received = async (text: string) => {
  await until(() => client.received().length >= text.length);
  expect(client.received()).toBe(text);
};

/** Answers GET with the key. */
const echo = (peer: FakePeer) => {
  peer.answer = ([name, key]) => (name === 'GET' ? bulk(key) : OK);
};

describe('a command of another node', () => {
  it('is executed there as it came, and answered as that one answers', async () => {
    world.peers[1].answer = (words) => bulk(words.join('|'));
    client.send('set', NEXT, 'a\r\nb', 'EX', '10');
    await received(bulk(`set|${NEXT}|a\r\nb|EX|10`));
    expect(world.harness.engine.counters[FORWARDS]).toBe(1);
  });

  it('goes out with all others of its turn in one write to each node, and local ones run between', async () => {
    for (const peer of world.peers) echo(peer);
    const keys = Array.from({ length: 48 }, (_, index) => keyOfNode(index % 3, `k${index}`));
    // The connections come first.
    sendAll(client, ['GET', NEXT], ['GET', LAST]);
    await received(bulk(NEXT) + bulk(LAST));
    const reads = world.peers.map((peer) => peer.reads);
    sendAll(client, ...keys.map((key) => ['GET', key]));
    const replies = keys.map((key, index) => (index % 3 === 0 ? '$-1\r\n' : bulk(key)));
    await received(bulk(NEXT) + bulk(LAST) + replies.join(''));
    expect(world.peers.map((peer, index) => peer.reads - reads[index])).toEqual([0, 1, 1]);
    expect(world.peers.map((peer) => peer.accepted)).toEqual([0, 1, 1]);
  });

  it('waits for nobody: a node that is slow holds up only the replies behind its own', async () => {
    echo(world.peers[2]);
    let late: (() => void) | undefined;
    world.peers[1].answer = (_, socket) => {
      late = () => socket.write(bulk('late'));
      return undefined;
    };
    sendAll(client, ['GET', LAST], ['GET', NEXT], ['GET', LAST], ['SET', OWN, '1']);
    await received(bulk(LAST));
    expect(world.harness.run('GET', OWN)).toBe(bulk('1'));
    await until(() => late !== undefined);
    late?.();
    await received(bulk(LAST) + bulk('late') + bulk(LAST) + OK);
  });

  it('speaks the protocol of its client, over a connection for each', async () => {
    world.peers[1].answer = () => '_\r\n';
    const logins: string[] = [];
    world.peers[1].login = (words) => {
      logins.push(words.join(' '));
      return OK;
    };
    sendAll(client, ['HELLO', '3'], ['GET', NEXT], ['HELLO', '2']);
    await until(() => client.received().endsWith('master\r\n$7\r\nmodules\r\n*0\r\n'));
    world.peers[1].answer = () => '$-1\r\n';
    client.send('GET', NEXT);
    await until(() => client.received().endsWith('$-1\r\n'));
    const peer = `CLUSTER PEER ${'a'.repeat(40)} distcache`;
    expect(logins).toEqual(['HELLO 3', peer, peer]);
    expect(world.peers[1].accepted).toBe(2);
  });

  it('logs in with masteruser and masterauth first', async () => {
    await open('--masteruser', 'node', '--masterauth', 'secret');
    const logins: string[] = [];
    world.peers[1].login = (words) => {
      logins.push(words.join(' '));
      return OK;
    };
    client.send('GET', NEXT);
    await received(OK);
    expect(logins[0]).toBe('AUTH node secret');
  });

  it('may have a reply of many reads, which is passed on as it comes', async () => {
    const value = 'v'.repeat(3_000_000);
    let rest: (() => void) | undefined;
    world.peers[1].answer = (_, socket) => {
      socket.write(bulk(value).slice(0, 1_000_000));
      rest = () => socket.write(bulk(value).slice(1_000_000));
      return undefined;
    };
    sendAll(client, ['GET', NEXT], ['PING']);
    await until(() => client.received().length === 1_000_000);
    rest?.();
    await received(bulk(value) + PONG);
  });

  it('keeps what is within a reply, and does not take pushes for replies', async () => {
    client.send('HELLO', '3');
    await until(() => client.received() !== '');
    const before = client.received();
    const reply = '|1\r\n+ttl\r\n:1\r\n*2\r\n$3\r\n-ER\r\n:1\r\n';
    world.peers[1].answer = () => `>2\r\n+invalidate\r\n*0\r\n${reply}`;
    client.send('GET', NEXT);
    await received(before + reply);
  });
});

describe('a slot that has moved', () => {
  const moved = (word: string, key: string, to: FakePeer) =>
    `-${word} ${slotOf(key)} 127.0.0.1:${to.port}\r\n`;

  it.each(['MOVED', 'ASK'])('%s is followed, with ASKING', async (word) => {
    const [, first, second] = world.peers;
    first.answer = () => moved(word, NEXT, second);
    second.answer = ([name]) => (name === 'ASKING' ? OK : bulk('found'));
    sendAll(client, ['GET', NEXT], ['PING']);
    await received(bulk('found') + PONG);
    expect(second.requests).toEqual(['ASKING', `GET ${NEXT}`]);
  });

  it('that is on its way may keep its commands waiting there, and no others', async () => {
    const [, first, second] = world.peers;
    first.answer = () => moved('ASK', NEXT, second);
    let late: (() => void) | undefined;
    second.answer = ([name], socket) => {
      if (name !== 'GET') return OK;
      late ??= () => socket.write(bulk('at last'));
      return undefined;
    };
    const other = world.connect();
    client.send('GET', NEXT);
    await until(() => late !== undefined);
    other.send('SET', LAST, '1');
    await until(() => other.received() === OK);
    expect(client.received()).toBe('');
    late?.();
    await received(bulk('at last'));
  });

  it('may have come to this node: it asks itself', async () => {
    const [own, first] = world.peers;
    first.answer = () => moved('MOVED', NEXT, own);
    own.answer = ([name]) => (name === 'ASKING' ? OK : bulk('here'));
    client.send('GET', NEXT);
    await received(bulk('here'));
  });

  it('nodes that send one round and round have their way in the end', async () => {
    const [, first, second] = world.peers;
    first.answer = ([name]) => (name === 'ASKING' ? OK : moved('MOVED', NEXT, second));
    second.answer = ([name]) => (name === 'ASKING' ? OK : moved('MOVED', NEXT, first));
    client.send('GET', NEXT);
    await until(() => client.received() !== '');
    expect(client.received()).toMatch(/^-MOVED \d+ /);
  });

  it('to a node that is not known the client is sent itself', async () => {
    world.peers[1].answer = () => '-MOVED 1 10.0.0.1:1\r\n';
    client.send('GET', NEXT);
    await received('-MOVED 1 10.0.0.1:1\r\n');
  });

  it('ASKING is said where the slot is about to be owned', async () => {
    world.peers[1].answer = ([name]) => (name === 'ASKING' ? OK : bulk('x'));
    const { cluster } = world;
    setSlot(cluster, slotOf(OWN), 0, 255, 1);
    cluster.table.roles[slotOf(OWN)] |= 2;
    client.send('GET', OWN);
    await received(bulk('x'));
    expect(world.peers[1].requests).toEqual(['ASKING', `GET ${OWN}`]);
  });
});

describe('a transaction of another node', () => {
  it('goes there whole, and the reply of EXEC comes back', async () => {
    world.peers[1].answer = ([name]) =>
      name === 'EXEC' ? '*2\r\n+OK\r\n:2\r\n' : name === 'MULTI' ? OK : '+QUEUED\r\n';
    sendAll(client, ['MULTI'], ['SET', NEXT, '1'], ['INCR', NEXT], ['EXEC'], ['PING']);
    await received(`${OK}${'+QUEUED\r\n'.repeat(2)}*2\r\n+OK\r\n:2\r\n${PONG}`);
    expect(world.peers[1].requests).toEqual(['MULTI', `SET ${NEXT} 1`, `INCR ${NEXT}`, 'EXEC']);
  });

  it('follows its slot', async () => {
    const [, first, second] = world.peers;
    const away = `-MOVED ${slotOf(NEXT)} 127.0.0.1:${second.port}\r\n`;
    first.answer = ([name]) =>
      name === 'EXEC' ? '-EXECABORT Transaction discarded\r\n' : name === 'MULTI' ? OK : away;
    second.answer = ([name]) => (name === 'EXEC' ? '*1\r\n+OK\r\n' : OK);
    sendAll(client, ['MULTI'], ['SET', NEXT, '1'], ['EXEC']);
    await received(`${OK}+QUEUED\r\n*1\r\n+OK\r\n`);
    expect(second.requests).toEqual(['ASKING', 'MULTI', `SET ${NEXT} 1`, 'EXEC']);
  });
});

describe('PUBLISH', () => {
  it('reaches all nodes, and counts the receivers of all', async () => {
    world.peers[1].answer = () => ':3\r\n';
    world.peers[2].answer = () => ':4\r\n';
    const listener = world.connect();
    listener.send('SUBSCRIBE', 'news');
    await until(() => listener.received() !== '');
    sendAll(client, ['PUBLISH', 'news', 'a'], ['PUBLISH', 'news', 'b'], ['PING']);
    await received(`:8\r\n:8\r\n${PONG}`);
    expect(world.peers.map(({ requests }) => requests)).toEqual([
      [],
      ['PUBLISH news a', 'PUBLISH news b'],
      ['PUBLISH news a', 'PUBLISH news b'],
    ]);
  });

  it('leaves a node out that cannot be reached', async () => {
    world.peers[1].answer = () => ':3\r\n';
    await world.peers[2].close();
    client.send('PUBLISH', 'news', 'a');
    await received(':3\r\n');
  });

  it('is part of a transaction like any other', async () => {
    world.peers[1].answer = () => ':3\r\n';
    world.peers[2].answer = () => ':4\r\n';
    const late = ['CLIENT', 'LIST', 'TYPE', 'replica'];
    sendAll(client, ['MULTI'], late, ['PUBLISH', 'news', 'a'], ['SET', OWN, '1'], ['EXEC'], ['PING']);
    await received(`${OK}${'+QUEUED\r\n'.repeat(3)}*3\r\n${bulk('')}:7\r\n${OK}${PONG}`);
  });
});

describe('a node that is in trouble', () => {
  const name = (index: number) => `${'abc'[index].repeat(40)} (127.0.0.1:${world.peers[index].port})`;

  it('does not answer: the client waits no longer than cluster-peer-timeout, and the next are refused at once', async () => {
    await open('--cluster-peer-timeout', '60', '--cluster-breaker-reset-ms', '5000');
    world.peers[1].answer = () => undefined;
    sendAll(client, ['GET', NEXT], ['SET', NEXT, '1'], ['PING']);
    await until(() => client.received().endsWith(PONG));
    const silent = `node ${name(1)} does not answer: it has not answered for 60 ms`;
    expect(client.received()).toBe(
      `-CLUSTERDOWN ${silent}\r\n-IOERR ${silent}; the command may have been executed\r\n${PONG}`,
    );
    expect(world.harness.engine.counters[FORWARD_FAILURES]).toBe(2);
    const before = client.received().length;
    sendAll(client, ['GET', NEXT], ['PING']);
    // Nothing has to happen elsewhere for that.
    world.turn();
    expect(client.received().slice(before)).toMatch(
      /^-CLUSTERDOWN node b+ \(127[^)]+\) does not answer: circuit open, next try in \d+ ms\r\n\+PONG\r\n$/,
    );
    expect(world.harness.log.at(-1)).toContain('circuit open');
  });

  it('has answered in time while this thread was held up: that counts, and the circuit stays closed', async () => {
    await open(...QUICK);
    world.peers[1].answer = (_, socket) => {
      socket.write(bulk('x'));
      const endMs = performance.now() + 300;
      while (performance.now() < endMs);
      return undefined;
    };
    client.send('SET', NEXT, '1');
    await received(bulk('x'));
    expect(world.harness.log.join()).not.toContain('circuit open');
  });

  it('is tried again after a while, and answers: the circuit closes', async () => {
    await open(...QUICK);
    world.peers[1].answer = () => undefined;
    client.send('GET', NEXT);
    await until(() => client.received() !== '');
    echo(world.peers[1]);
    await until(() => {
      client.send('GET', NEXT);
      world.turn();
      return client.received().endsWith(bulk(NEXT));
    });
    expect(world.harness.log.at(-1)).toContain('circuit closed');
  });

  it('refuses connections: nothing was executed, and the client is told so at once', async () => {
    await world.peers[1].close();
    client.send('SET', NEXT, '1');
    await until(() => client.received() !== '');
    expect(client.received()).toMatch(/^-CLUSTERDOWN node b+ \([^)]+\) cannot be reached: .*ECONNREFUSED/);
  });

  it('refuses the login: nothing is executed there', async () => {
    world.peers[1].login = ([word]) => (word === 'CLUSTER' ? '-ERR another cluster\r\n' : OK);
    client.send('SET', NEXT, '1');
    await until(() => client.received() !== '');
    expect(client.received()).toBe(
      `-CLUSTERDOWN node ${name(1)} cannot be reached: it refuses the login: ERR another cluster\r\n`,
    );
    expect(world.peers[1].requests).toEqual([]);
  });

  it('resets the connection between replies: those that came are good, the others are in doubt', async () => {
    let count = 0;
    world.peers[1].answer = (_, socket) => {
      count += 1;
      if (count === 2) socket.destroySoon();
      return count === 1 ? OK : undefined;
    };
    sendAll(client, ['SET', NEXT, '1'], ['SET', NEXT, '2'], ['GET', NEXT]);
    await until(() => client.received().includes('CLUSTERDOWN'));
    expect(client.received()).toMatch(
      /^\+OK\r\n-IOERR .*may have been executed\r\n-CLUSTERDOWN .*closed\r\n$/,
    );
    echo(world.peers[1]);
    const before = client.received();
    client.send('GET', NEXT);
    await received(before + bulk(NEXT));
  });

  it('breaks off in the middle of a reply: the client, who has part of it, is closed', async () => {
    world.peers[1].answer = (_, socket) => {
      socket.write('$100\r\nhalf');
      return undefined;
    };
    client.send('GET', NEXT);
    await until(() => client.received().endsWith('half'));
    for (const socket of world.peers[1].connections) socket.destroy();
    await until(() => client.isClosed());
    expect(client.received()).toBe('$100\r\nhalf');
  });

  it('trickles a large reply: as long as something comes it is waited for', async () => {
    await open(...QUICK);
    const pieces = ['$6\r\n', 'a', 'b', 'c', 'd', 'e', 'f', '\r\n'];
    world.peers[1].answer = (_, socket) => {
      const next = () => {
        const piece = pieces.shift();
        if (piece === undefined) return;
        socket.write(piece);
        setTimeout(next, 50);
      };
      next();
      return undefined;
    };
    sendAll(client, ['GET', NEXT], ['PING']);
    await received(`${bulk('abcdef')}${PONG}`);
  });

  it('takes a large request slowly: as long as something goes it is waited for', async () => {
    await open(...QUICK);
    const value = 'v'.repeat(24 * 2 ** 20);
    const pauseBytes = 4 * 2 ** 20;
    let taken = 0;
    let pausedAt = 0;
    const slow = createServer((socket) => {
      socket.on('data', (bytes) => {
        if (taken === 0) socket.write(OK);
        taken += bytes.length;
        if (taken > value.length + 100) socket.write(OK);
        if (taken < pausedAt + pauseBytes) return;
        pausedAt = taken;
        socket.pause();
        setTimeout(() => socket.resume(), 80);
      });
    });
    await new Promise<void>((resolve) => slow.listen(0, '127.0.0.1', resolve));
    const { port } = slow.address() as AddressInfo;
    world.cluster.nodes = world.cluster.nodes.map((node) => (node?.index === 1 ? { ...node, port } : node));
    sendAll(client, ['SET', NEXT, value], ['PING']);
    for (let tries = 0; tries < 5 && client.received() === ''; tries += 1) {
      await until(() => client.received() !== '').catch(() => undefined);
    }
    slow.close();
    expect(client.received()).toBe(OK + PONG);
  });

  it('sends what is no RESP: the connection is of no more use', async () => {
    world.peers[1].answer = () => 'hello\r\n';
    client.send('GET', NEXT);
    await until(() => client.received() !== '');
    expect(client.received()).toMatch(/^-CLUSTERDOWN .* it sends what is no RESP\r\n$/);
    await until(() => world.peers[1].connections.size === 0);
  });

  it('has another address: the old connection is given up', async () => {
    echo(world.peers[1]);
    client.send('GET', NEXT);
    await received(bulk(NEXT));
    const { cluster } = world;
    cluster.nodes = cluster.nodes.map((node) =>
      node?.index === 1 ? { ...node, port: world.peers[2].port } : node,
    );
    world.peers[2].answer = () => bulk('moved');
    client.send('GET', NEXT);
    await received(bulk(NEXT) + bulk('moved'));
    await until(() => world.peers[1].connections.size === 0);
  });

  it('is read for from the replica here, with cluster-degraded-reads', async () => {
    await open(...QUICK, '--cluster-degraded-reads', 'yes');
    world.peers[1].answer = () => undefined;
    world.harness.run('SET', OWN, 'x');
    setSlot(world.cluster, slotOf(OWN), 1, 0);
    client.send('GET', OWN);
    await until(() => client.received() !== '');
    const before = client.received();
    expect(before).toContain('CLUSTERDOWN');
    sendAll(client, ['GET', OWN], ['SET', OWN, 'y']);
    await until(() => client.received().length > before.length);
    expect(client.received().slice(before.length)).toMatch(/^\$1\r\nx\r\n-CLUSTERDOWN .*circuit open/);
  });
});
