/** A question to another node, which answers in every way. */
import { Buffer } from 'node:buffer';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { askPeer, type PeerAnswer } from '../../src/cluster/peer-request.ts';
import { configOf } from '../config/world.ts';
import { freePort } from '../support/redis-server.ts';

const ID = 'a'.repeat(40);
const OWN_ID = 'b'.repeat(40);
const LOGIN = `*4\r\n$7\r\nCLUSTER\r\n$4\r\nPEER\r\n$40\r\n${OWN_ID}\r\n$9\r\ndistcache\r\n`;
const PING = '*1\r\n$4\r\nPING\r\n';

let server: Server;
let port: number;
let heard: string;
/** What the peer says when it has heard all of the question. */
let answer: (socket: Socket) => void;
let question: string;

beforeEach(async () => {
  heard = '';
  question = LOGIN + PING;
  server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      heard += String(bytes);
      if (heard === question) answer(socket);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
});

afterEach(() => new Promise<void>((resolve) => void server.close(() => resolve())));

/** The other side, in the same loop, has read what was written before. */
function afterTurns(turns: number, deed: () => void): void {
  if (turns === 0) deed();
  else setImmediate(afterTurns, turns - 1, deed);
}

const says = (text: string) => (socket: Socket) => void socket.write(text);

function ask(waitMs = 2_000, flags: string[] = [], at = port): Promise<PeerAnswer> {
  const node = { id: ID, host: '127.0.0.1', port: at, tlsPort: 0 };
  return askPeer(node, configOf(...flags), OWN_ID, ['PING'], waitMs);
}

describe('a question to another node', () => {
  it('is asked by a node of the cluster, and answered', async () => {
    answer = says('+OK\r\n+PONG\r\n');
    expect(await ask()).toEqual({ reply: 'PONG' });
    expect(heard).toBe(question);
  });

  it('logs in where the configuration says as whom', async () => {
    question = `*3\r\n$4\r\nAUTH\r\n$4\r\nnode\r\n$6\r\nsecret\r\n${LOGIN}${PING}`;
    answer = says('+OK\r\n+OK\r\n+PONG\r\n');
    expect(await ask(2_000, ['--masteruser', 'node', '--masterauth', 'secret'])).toEqual({ reply: 'PONG' });
  });

  it('is answered in whatever pieces', async () => {
    const text = '+OK\r\n*2\r\n$4\r\na\r\nb\r\n:7\r\n';
    for (let cut = 1; cut < text.length; cut++) {
      heard = '';
      answer = (socket) => {
        socket.setNoDelay(true);
        socket.write(text.slice(0, cut));
        afterTurns(5, () => socket.write(text.slice(cut)));
      };
      expect((await ask()).reply, `cut at ${cut}`).toEqual([Buffer.from('a\r\nb'), 7]);
    }
  });

  it.each([
    ['+OK\r\n-ERR no\r\n', 'answered: ERR no'],
    ['-NOAUTH Authentication required.\r\n-NOAUTH x\r\n', 'answered: NOAUTH Authentication required.'],
    ['HTTP/1.1 400 Bad Request\r\n\r\n', 'does not speak RESP'],
  ])('that is answered by %j has a problem', async (text, problem) => {
    answer = says(text);
    expect(await ask()).toEqual({ problem: `${ID} (127.0.0.1:${port}) ${problem}` });
  });

  it('that is not answered ends in time', async () => {
    answer = says('+OK\r\n+PO');
    expect((await ask(50)).problem).toMatch(/has not answered within 50 ms$/);
  });

  it('whose connection breaks has a problem', async () => {
    answer = (socket) => socket.destroy();
    expect((await ask()).problem).toMatch(/has closed the connection$/);
  });

  it('to nobody has a problem', async () => {
    expect((await ask(2_000, [], await freePort())).problem).toMatch(/cannot be reached: ECONNREFUSED$/);
  });

  it('over TLS whose files cannot be read has a problem', async () => {
    const flags = ['--tls-cluster', 'yes', '--tls-ca-cert-file', '/nowhere/ca.pem'];
    expect((await ask(2_000, flags)).problem).toContain('cannot be called');
  });

  it('is not answered at any length', async () => {
    answer = says(`+OK\r\n$${8 * 1024 * 1024}\r\n${'x'.repeat(8 * 1024 * 1024)}\r\n`);
    expect((await ask()).problem).toMatch(/answers more than it was asked$/);
  });
});
