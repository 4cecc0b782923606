/**
 * CLIENT over several threads: three harnesses stand for three workers, a bus without ports asks them all.
 */
import { describe, expect, it } from 'vitest';
import { installClientTopics } from '../../src/commands/client.ts';
import type { EngineBus } from '../../src/commands/engine.ts';
import {
  REPLY_OFF,
  REPLY_ON,
  REPLY_SKIP,
  REPLY_SKIP_NEXT,
  type Session,
} from '../../src/commands/session.ts';
import { CLIENT_TEXT_BYTES_MAX } from '../../src/config/limits.ts';
import { createHarness, type Harness } from '../support/harness.ts';

/** Workers whose clients have the ids 11, 12, ... on the first, 21, 22, ... on the second, and so on. */
function createWorkers(clientCounts: readonly number[]) {
  const handlers: Map<string, (payload: unknown, fromThread: number) => unknown>[] = [];
  const workers = clientCounts.map((clientCount, index) => {
    const harness = createHarness({ shards: 1 });
    const topics = new Map<string, (payload: unknown, fromThread: number) => unknown>();
    handlers.push(topics);
    const bus: EngineBus = {
      publish: () => undefined,
      publishTo: () => false,
      requestAll: async (topic, payload) => {
        // A clone, as it would come through a port.
        return handlers.map((known) =>
          structuredClone(known.get(topic)?.(structuredClone(payload), index + 1)),
        );
      },
      requestMain: async () => undefined,
      onGone: () => undefined,
      handle: (topic, handler) => void topics.set(topic, handler),
    };
    Object.assign(harness.engine, { bus });
    harness.engine.sessions.clear();
    installClientTopics(harness.engine);
    const sessions = Array.from({ length: clientCount }, (_, i) =>
      addClient(harness, 10 * (index + 1) + i + 1),
    );
    return { harness, sessions };
  });
  return workers;
}

function addClient(harness: Harness, id: number): Session {
  const session = harness.connect();
  harness.engine.sessions.delete(session.id);
  const connection = {
    ...session.connection,
    destroy: () => {
      harness.engine.sessions.delete(id);
    },
  };
  const client = Object.assign(session, { id, address: `10.0.0.1:${id}`, connection });
  harness.engine.sessions.set(id, client);
  return client;
}

async function answer(harness: Harness, session: Session, ...args: string[]): Promise<string> {
  const reply = harness.runAs(session, ...args);
  while (reply === '' && harness.deferredReplies.length === 0) await Promise.resolve();
  return reply === '' ? (harness.deferredReplies.shift() ?? '') : reply;
}

function idsIn(reply: string): number[] {
  return [...reply.matchAll(/^id=(\d+) /gm)].map(([, id]) => Number(id));
}

function idsLeft(workers: ReturnType<typeof createWorkers>): number[] {
  return workers.flatMap(({ harness }) => [...harness.engine.sessions.keys()]);
}

describe('what a client says of itself', () => {
  it('has so many bytes at the most: it is shown, and kept, with every list and refusal', () => {
    const harness = createHarness();
    const [fits, long] = ['a'.repeat(CLIENT_TEXT_BYTES_MAX), 'a'.repeat(CLIENT_TEXT_BYTES_MAX + 1)];
    const refusal = `-ERR a client's name, and what it says of its library, have at most ${CLIENT_TEXT_BYTES_MAX} bytes\r\n`;
    const commands = [
      ['CLIENT', 'SETNAME'],
      ['HELLO', '2', 'SETNAME'],
      ['CLIENT', 'SETINFO', 'LIB-NAME'],
      ['CLIENT', 'SETINFO', 'LIB-VER'],
    ];
    for (const command of commands) {
      expect(harness.run(...command, fits)).not.toContain('ERR');
      expect(harness.run(...command, long)).toBe(refusal);
    }
    const { name, libraryName, libraryVersion } = harness.session;
    expect([name, libraryName, libraryVersion]).toEqual([fits, fits, fits]);
  });
});

describe('CLIENT LIST', () => {
  it('lists the clients of all threads, the oldest first', async () => {
    const workers = createWorkers([2, 0, 3]);
    addClient(workers[0].harness, 99);
    const { harness, sessions } = workers[2];
    expect(idsIn(await answer(harness, sessions[0], 'CLIENT', 'LIST'))).toEqual([11, 12, 31, 32, 33, 99]);
    expect(idsIn(await answer(harness, sessions[0], 'CLIENT', 'LIST', 'TYPE', 'normal'))).toHaveLength(6);
    for (const type of ['master', 'replica', 'slave', 'pubsub']) {
      expect(await answer(harness, sessions[0], 'CLIENT', 'LIST', 'TYPE', type)).toBe('$0\r\n\r\n');
    }
  });

  it('lists the ids asked for in the order of asking, wherever they are served', async () => {
    const workers = createWorkers([2, 2]);
    const { harness, sessions } = workers[0];
    const asked = ['22', '11', '77', '22', '9223372036854775807'];
    expect(idsIn(await answer(harness, sessions[0], 'CLIENT', 'LIST', 'ID', ...asked))).toEqual([22, 11, 22]);
  });

  it('shows what a client is and does', async () => {
    const { harness, sessions } = createWorkers([1])[0];
    const [session] = sessions;
    Object.assign(session, { isUnixSocket: true, fileDescriptor: 9 });
    harness.nowMs += 5_999;
    session.lastActiveMs += 3_000;
    harness.runAs(session, 'SELECT', '7');
    harness.runAs(session, 'CLIENT', 'SETNAME', 'me');
    harness.runAs(session, 'CLIENT', 'NO-EVICT', 'ON');
    harness.runAs(session, 'CLIENT', 'NO-TOUCH', 'on');
    harness.runAs(session, 'CLIENT', 'SETINFO', 'LIB-NAME', 'lib');
    harness.runAs(session, 'CLIENT', 'SETINFO', 'lib-ver', '1.2');
    const line =
      'id=11 addr=10.0.0.1:11 laddr=127.0.0.1:6379 fd=9 name=me age=5 idle=2 flags=UeT db=7 sub=0 psub=0 ssub=0' +
      ' multi=-1 qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 omem=0 tot-mem=0 events=r' +
      ' cmd=client|info user=default redir=-1 resp=2 lib-name=lib lib-ver=1.2\n';
    expect(harness.runAs(session, 'CLIENT', 'INFO')).toBe(`$${line.length}\r\n${line}\r\n`);
  });
});

describe('CLIENT KILL', () => {
  it('closes the clients of all threads that fit, but not the asking one', async () => {
    const workers = createWorkers([2, 2, 1]);
    const { harness, sessions } = workers[1];
    expect(await answer(harness, sessions[0], 'CLIENT', 'KILL', 'TYPE', 'normal')).toBe(':4\r\n');
    expect(idsLeft(workers)).toEqual([21]);
    expect(sessions[0].closing).toBe(false);
  });

  it.each([
    ['ID', '12', [12]],
    ['ADDR', '10.0.0.1:31', [31]],
    ['LADDR', '127.0.0.1:6379', [12, 21, 31]],
    ['USER', 'default', [12, 21, 31]],
    ['TYPE', 'pubsub', []],
    ['SKIPME', 'yes', [12, 21, 31]],
  ])('%s %s closes whom it says', async (option, value, killed) => {
    const workers = createWorkers([2, 1, 1]);
    const { harness, sessions } = workers[0];
    const before = idsLeft(workers);
    expect(await answer(harness, sessions[0], 'CLIENT', 'KILL', option, value)).toBe(`:${killed.length}\r\n`);
    expect(idsLeft(workers)).toEqual(before.filter((id) => !(killed as number[]).includes(id)));
  });

  it('spares whom the user or the local address does not fit', async () => {
    const workers = createWorkers([1, 2]);
    const { harness, sessions } = workers[0];
    Object.assign(workers[1].sessions[0], { user: 'other', localAddress: '127.0.0.1:7000' });
    expect(await answer(harness, sessions[0], 'CLIENT', 'KILL', 'USER', 'default')).toBe(':1\r\n');
    expect(await answer(harness, sessions[0], 'CLIENT', 'KILL', 'LADDR', '127.0.0.1:6379')).toBe(':0\r\n');
    expect(idsLeft(workers)).toEqual([11, 21]);
    expect(await answer(harness, sessions[0], 'CLIENT', 'KILL', 'LADDR', '127.0.0.1:7000')).toBe(':1\r\n');
    expect(idsLeft(workers)).toEqual([11]);
  });

  it('needs every condition fulfilled, and takes the last of two of a kind', async () => {
    const workers = createWorkers([2, 1]);
    const { harness, sessions } = workers[0];
    const nobody = ['CLIENT', 'KILL', 'ID', '12', 'ADDR', '10.0.0.1:21'];
    expect(await answer(harness, sessions[0], ...nobody)).toBe(':0\r\n');
    expect(await answer(harness, sessions[0], 'CLIENT', 'KILL', 'ID', '12', 'ID', '21')).toBe(':1\r\n');
    expect(idsLeft(workers)).toEqual([11, 12]);
  });

  it('closes the asking client behind its answer if told so', async () => {
    const workers = createWorkers([1, 1]);
    const { harness, sessions } = workers[0];
    const { connection } = sessions[0];
    const atClosing: number[] = [];
    Object.assign(connection, { closeAfterReply: () => atClosing.push(harness.deferredReplies.length) });
    expect(await answer(harness, sessions[0], 'CLIENT', 'KILL', 'SKIPME', 'no', 'USER', 'default')).toBe(
      ':2\r\n',
    );
    expect(atClosing).toHaveLength(1);
    expect(idsLeft(workers)).toEqual([11]);
  });

  it('in its old form closes one address, even the own, or tells that there is none', async () => {
    const workers = createWorkers([1, 1]);
    const { harness, sessions } = workers[0];
    const none = '-ERR No such client\r\n';
    expect(await answer(harness, sessions[0], 'CLIENT', 'KILL', '10.0.0.1:99')).toBe(none);
    expect(await answer(harness, sessions[0], 'CLIENT', 'KILL', '10.0.0.1:21')).toBe('+OK\r\n');
    expect(await answer(harness, sessions[0], 'CLIENT', 'KILL', '10.0.0.1:11')).toBe('+OK\r\n');
    expect(sessions[0].closing).toBe(true);
    expect(idsLeft(workers)).toEqual([11]);
  });
});

describe('CLIENT REPLY', () => {
  it.each([
    [REPLY_ON, 'off', REPLY_OFF, ''],
    [REPLY_ON, 'skip', REPLY_SKIP_NEXT, ''],
    [REPLY_ON, 'on', REPLY_ON, '+OK\r\n'],
    [REPLY_OFF, 'SKIP', REPLY_OFF, ''],
    [REPLY_OFF, 'ON', REPLY_ON, '+OK\r\n'],
    [REPLY_SKIP, 'ON', REPLY_ON, '+OK\r\n'],
    [REPLY_SKIP, 'SKIP', REPLY_SKIP_NEXT, ''],
    [REPLY_SKIP, 'OFF', REPLY_OFF, ''],
    [REPLY_OFF, 'maybe', REPLY_OFF, '-ERR syntax error\r\n'],
  ])('in mode %i, %s leads to mode %i', (before, word, after, reply) => {
    const { harness, sessions } = createWorkers([1])[0];
    sessions[0].replyMode = before;
    expect(harness.runAs(sessions[0], 'CLIENT', 'REPLY', word)).toBe(reply);
    expect(sessions[0].replyMode).toBe(after);
  });

  it.each([
    [REPLY_OFF, REPLY_ON],
    [REPLY_SKIP_NEXT, REPLY_ON],
    [REPLY_SKIP, REPLY_SKIP],
  ])('RESET takes mode %i to mode %i', (before, after) => {
    const { harness, sessions } = createWorkers([1])[0];
    sessions[0].replyMode = before;
    expect(harness.runAs(sessions[0], 'RESET')).toBe('+RESET\r\n');
    expect(sessions[0].replyMode).toBe(after);
  });
});

describe('CLIENT SETINFO and NO-TOUCH', () => {
  it('refuse what is no option of theirs', () => {
    const { harness, sessions } = createWorkers([1])[0];
    const run = (...args: string[]) => harness.runAs(sessions[0], 'CLIENT', ...args);
    expect(run('SETINFO', 'foo', 'x')).toBe("-ERR Unrecognized option 'foo'\r\n");
    expect(run('SETINFO', 'Lib-Name', 'a b')).toBe(
      '-ERR Lib-Name cannot contain spaces, newlines or special characters.\r\n',
    );
    expect(run('SETINFO', 'lib-ver', '')).toBe('+OK\r\n');
    expect(run('NO-TOUCH', 'maybe')).toBe('-ERR syntax error\r\n');
    expect(run('NO-TOUCH', 'off')).toBe('+OK\r\n');
  });

  it('RESET ends NO-TOUCH and keeps what the library said of itself', () => {
    const { harness, sessions } = createWorkers([1])[0];
    harness.runAs(sessions[0], 'CLIENT', 'NO-TOUCH', 'ON');
    harness.runAs(sessions[0], 'CLIENT', 'SETINFO', 'LIB-NAME', 'lib');
    expect(sessions[0].noTouch).toBe(true);
    harness.runAs(sessions[0], 'RESET');
    expect([sessions[0].noTouch, sessions[0].libraryName]).toEqual([false, 'lib']);
  });
});
