/** What is pushed to a connection: its place between the replies, whatever they wait for, and its bounds. */
import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import { type Call, deferReply, type Handler } from '../../src/commands/call.ts';
import { findByName } from '../../src/commands/registry.ts';
import type { Deferred, Session } from '../../src/commands/session.ts';
import { MONITOR_UNREAD_BYTES_MAX } from '../../src/config/limits.ts';
import { LIMIT_CUTS, WRITES } from '../../src/metrics/names.ts';
import { createServingWorld, type ServingWorld, type WorldClient } from '../support/serving-world.ts';

const OK = '+OK\r\n';
const PONG = '+PONG\r\n';

type Member = { readonly client: WorldClient; readonly session: Session };

function join(world: ServingWorld): Member {
  const client = world.connect();
  const session = [...world.serving.connections.values()].at(-1)?.session as Session;
  return { client, session };
}

const pushTo = ({ session }: Member, text: string) => session.connection.push(Buffer.from(text));

/** Runs `body` with another handler behind a command. */
async function withHandler(name: string, handler: Handler, body: () => Promise<void>): Promise<void> {
  const command = findByName(name);
  if (command === undefined) throw new Error(`there is no ${name}`);
  const own = command.handler;
  Object.assign(command, { handler });
  try {
    await body();
  } finally {
    Object.assign(command, { handler: own });
  }
}

describe('a push', () => {
  it('leaves at the end of the turn, in one write with the replies before it', () => {
    const world = createServingWorld();
    const member = join(world);
    member.client.send('PING');
    pushTo(member, '+a\r\n');
    pushTo(member, '+b\r\n');
    expect(member.client.received()).toBe('');
    const before = world.serving.engine.counters[WRITES];
    world.turn();
    expect(member.client.received()).toBe(`${PONG}+a\r\n+b\r\n`);
    expect(world.serving.engine.counters[WRITES]).toBe(before + 1);
  });

  it('leaves alone where there are no replies, and is the turn of its own that it needs', async () => {
    const world = createServingWorld();
    const member = join(world);
    pushTo(member, '+a\r\n');
    await world.settle();
    expect(member.client.received()).toBe('+a\r\n');
    expect(member.session.bytesOut).toBe(4);
  });

  it('of what comes of the command that runs can come behind its reply, and before the next one', async () => {
    const world = createServingWorld();
    const member = join(world);
    const handler = ({ reply, session }: Call) => {
      reply.length += reply.bytes.write('+x\r\n', reply.length, 'latin1');
      session.connection.pushBehind(Buffer.from('+behind\r\n'));
      session.connection.push(Buffer.from('+before\r\n'));
    };
    await withHandler('echo', handler, async () => {
      member.client.sendBytes('PING\r\nECHO x\r\nPING\r\n');
      world.turn();
      expect(member.client.received()).toBe(`${PONG}+x\r\n+behind\r\n+before\r\n${PONG}`);
    });
  });

  it('of the same bytes to many is joined once', () => {
    const world = createServingWorld();
    const members = [join(world), join(world), join(world)];
    const [one, two, three] = ['+1\r\n', '+2\r\n', '+3\r\n'].map((text) => Buffer.from(text));
    for (const { session } of members) for (const bytes of [one, two]) session.connection.push(bytes);
    members[1].session.connection.push(three);
    world.turn();
    expect(members.map(({ client }) => client.received())).toEqual([
      '+1\r\n+2\r\n',
      '+1\r\n+2\r\n+3\r\n',
      '+1\r\n+2\r\n',
    ]);
    expect(world.serving.joined).toBeUndefined();
  });

  it('counts against the share of who makes so many: the rest of its pipeline comes in the next turn', async () => {
    const world = createServingWorld();
    const member = join(world);
    const listener = join(world);
    const handler = ({ reply }: Call) => {
      listener.session.connection.push(Buffer.alloc(2 ** 20, 'x'));
      reply.length += reply.bytes.write('+x\r\n', reply.length, 'latin1');
    };
    await withHandler('echo', handler, async () => {
      member.client.sendBytes('ECHO x\r\n'.repeat(4));
      world.turn();
      expect(member.client.received()).toBe('+x\r\n');
      await world.settle();
      expect(member.client.received()).toBe('+x\r\n'.repeat(4));
      expect(listener.client.received().length).toBe(4 * 2 ** 20);
    });
  });

  it('to the client whose command runs comes before the reply of that command', async () => {
    const world = createServingWorld();
    const member = join(world);
    const handler = ({ reply, session }: Call) => {
      reply.length += reply.bytes.write('*1\r\n', reply.length, 'latin1');
      session.connection.push(Buffer.from('+pushed\r\n'));
      reply.length += reply.bytes.write('$1\r\nx\r\n', reply.length, 'latin1');
    };
    await withHandler('echo', handler, async () => {
      member.client.sendBytes('PING\r\nECHO x\r\nPING\r\n');
      world.turn();
      expect(member.client.received()).toBe(`${PONG}+pushed\r\n*1\r\n$1\r\nx\r\n${PONG}`);
    });
  });

  it('leaves though the reply of the running command is dropped, and stays out of the next one', async () => {
    const world = createServingWorld();
    const member = join(world);
    const handler = ({ reply, session }: Call) => {
      reply.length += reply.bytes.write('+dropped\r\n', reply.length, 'latin1');
      const deferred = session.connection.defer();
      session.connection.push(Buffer.from('+pushed\r\n'));
      deferred.resume((late) => {
        late.length += late.bytes.write('+late\r\n', late.length, 'latin1');
      });
    };
    await withHandler('echo', handler, async () => {
      member.client.sendBytes('CLIENT REPLY OFF\r\nECHO x\r\nCLIENT REPLY ON\r\nPING\r\n');
      world.turn();
      expect(member.client.received()).toBe(`+pushed\r\n${OK}${PONG}`);
    });
  });

  it('takes no replies of others along where its own client has none, dropped or put off', async () => {
    const world = createServingWorld();
    const [other, silent, late] = [join(world), join(world), join(world)];
    let deferred: Deferred | undefined;
    const handler = (call: Call) => {
      const { connection } = call.session;
      connection.push(Buffer.from('+before\r\n'));
      connection.pushBehind(Buffer.from('+behind\r\n'));
      if (call.session === late.session) deferred = deferReply(call);
      else call.reply.length += call.reply.bytes.write('+x\r\n', call.reply.length, 'latin1');
    };
    silent.client.send('CLIENT', 'REPLY', 'OFF');
    world.turn();
    await withHandler('echo', handler, async () => {
      other.client.send('PING');
      silent.client.send('ECHO', 'x');
      late.client.send('ECHO', 'x');
      world.turn();
    });
    expect(other.client.received()).toBe(PONG);
    expect(silent.client.received()).toBe('+before\r\n+behind\r\n');
    expect(late.client.received()).toBe('+before\r\n+behind\r\n');
    deferred?.resume((reply) => {
      reply.length += reply.bytes.write(OK, reply.length, 'latin1');
    });
    await world.settle();
    expect(late.client.received()).toBe(`+before\r\n+behind\r\n${OK}`);
  });

  it('leaves the replies of others alone', () => {
    const world = createServingWorld();
    const [one, other] = [join(world), join(world)];
    one.client.send('PING');
    other.client.send('ECHO', 'x');
    pushTo(one, '+a\r\n');
    pushTo(other, '+b\r\n');
    one.client.send('PING');
    pushTo(one, '+c\r\n');
    world.turn();
    expect(one.client.received()).toBe(`${PONG}+a\r\n${PONG}+c\r\n`);
    expect(other.client.received()).toBe('$1\r\nx\r\n+b\r\n');
  });

  it('to a client that is being closed is dropped', () => {
    const world = createServingWorld();
    const member = join(world);
    member.client.send('QUIT');
    pushTo(member, '+a\r\n');
    world.turn();
    expect(member.client.received()).toBe(OK);
  });

  it('stays when the replies around it become errors, held ones and those of this turn', async () => {
    const world = createServingWorld();
    const [held, writes] = [join(world), join(world)];
    held.client.send('SET', 'a', '1');
    world.turn();
    pushTo(held, '+a\r\n');
    world.turn();
    world.disk.setFreeBytes(0);
    writes.client.send('SET', 'b', '1');
    pushTo(writes, '+b\r\n');
    writes.client.send('SET', 'c', '1');
    world.turn();
    await world.settle();
    expect(held.client.received()).toMatch(/^-MISCONF [^\r]+\r\n\+a\r\n$/);
    expect(writes.client.received()).toMatch(/^-MISCONF [^\r]+\r\n\+b\r\n-MISCONF [^\r]+\r\n$/);
  });
});

it('a monitor whose connection closes is forgotten', async () => {
  const world = createServingWorld();
  const { monitoring } = world.serving.engine;
  const member = join(world);
  member.client.send('MONITOR');
  await world.settle();
  expect(member.client.received()).toBe(OK);
  expect([monitoring.own.size, monitoring.isWatched]).toEqual([1, true]);
  member.client.socket.destroy();
  await world.settle();
  expect([monitoring.own.size, monitoring.isWatched]).toEqual([0, false]);
});

/** What may happen in a turn, to client A where it says no other. */
const EVENTS = ['ask', 'push', 'ask B', 'write', 'put off', 'turn', 'sync'] as const;
const LENGTH = 4;

describe('the place of pushes', () => {
  it('is behind the commands that have run and before those that have not, in every order of events', async () => {
    const world = createServingWorld();
    const [a, b] = [join(world), join(world)];
    const tally = { sequences: 0, pushes: 0 };
    for (let code = 0; code < EVENTS.length ** LENGTH; code += 1) {
      const events = eventsOf(code);
      // What nothing is pushed in has nothing to show.
      if (!events.includes('push')) continue;
      tally.sequences += 1;
      const before = a.client.received().length;
      const expected = play(world, a, b, events, tally);
      await finish(world);
      expect(a.client.received().slice(before), events.join(', ')).toBe(expected());
    }
    expect(tally.pushes).toBeGreaterThan(1_000);
    expect(b.client.received().replaceAll('+PONG\r\n', '')).toBe('');
  });
});

function eventsOf(code: number): string[] {
  let rest = code;
  return Array.from({ length: LENGTH }, () => {
    const event = EVENTS[rest % EVENTS.length];
    rest = Math.floor(rest / EVENTS.length);
    return event;
  });
}

/** Plays the events; what comes of it says what A should have received in the end. */
function play(
  world: ServingWorld,
  a: Member,
  b: Member,
  events: readonly string[],
  tally: { pushes: number },
) {
  const repliesBefore = a.session.commandsProcessed;
  const replies: string[] = [];
  const pushes: { place: number; text: string }[] = [];
  const deeds: Readonly<Record<string, () => void>> = {
    ask: () => {
      const text = `reply ${replies.length}`;
      a.client.send('ECHO', text);
      replies.push(`$${text.length}\r\n${text}\r\n`);
    },
    write: () => {
      a.client.send('SET', 'key', 'value');
      replies.push(OK);
    },
    'put off': () => {
      a.client.send('CLIENT', 'KILL', 'ID', '999');
      replies.push(':0\r\n');
    },
    push: () => {
      tally.pushes += 1;
      const text = `+push ${pushes.length}\r\n`;
      pushes.push({ place: a.session.commandsProcessed - repliesBefore, text });
      pushTo(a, text);
    },
    'ask B': () => b.client.send('PING'),
    turn: () => world.turn(),
    sync: () => void world.disk.pump(),
  };
  for (const event of events) deeds[event]();
  return () => {
    let text = '';
    for (let place = 0; place <= replies.length; place += 1) {
      for (const push of pushes) if (push.place === place) text += push.text;
      text += replies[place] ?? '';
    }
    return text;
  };
}

async function finish(world: ServingWorld): Promise<void> {
  for (let round = 0; round < 3; round += 1) {
    world.turn();
    world.disk.pump();
    await new Promise(setImmediate);
  }
  await world.settle();
}

describe('the limit on unread output', () => {
  const limited = (world: ServingWorld) =>
    Object.assign(world.serving.engine.config, {
      clientOutputBufferLimit: {
        ...world.serving.engine.config.clientOutputBufferLimit,
        normal: { hardBytes: 1000, softBytes: 0, softSeconds: 0 },
      },
    });

  it('counts what is pushed behind replies that are held', () => {
    const world = createServingWorld();
    limited(world);
    const member = join(world);
    member.client.send('SET', 'a', '1');
    world.turn();
    for (let i = 0; i < 10; i += 1) pushTo(member, '+'.padEnd(100));
    expect(member.session.connection.outputBytes()).toBe(1000);
    world.turn();
    expect(member.session.connection.outputBytes()).toBe(1000);
    expect(member.client.isClosed()).toBe(false);
    pushTo(member, '+');
    expect(member.client.isClosed()).toBe(true);
    expect(world.serving.engine.counters[LIMIT_CUTS]).toBe(1);
  });

  it('counts what is pushed behind a reply that is put off, until it leaves', async () => {
    const world = createServingWorld();
    limited(world);
    const member = join(world);
    member.client.send('CLIENT', 'KILL', 'ID', '999');
    pushTo(member, '+'.padEnd(900));
    expect(member.session.connection.outputBytes()).toBe(900);
    await world.settle();
    expect(member.client.received()).toHaveLength(':0\r\n'.length + 900);
    expect(member.session.connection.outputBytes()).toBe(0);
  });

  it('is never more for a monitor than MONITOR_UNREAD_BYTES_MAX, even where its class has none', () => {
    const world = createServingWorld();
    limited(world);
    Object.assign(world.serving.engine.config.clientOutputBufferLimit.normal, { hardBytes: 0 });
    const [monitor, other] = [join(world), join(world)];
    monitor.session.isMonitor = true;
    const bytes = Buffer.alloc(MONITOR_UNREAD_BYTES_MAX / 4);
    for (const { session } of [monitor, other]) {
      for (let i = 0; i < 4; i += 1) session.connection.push(bytes);
    }
    expect(monitor.client.isClosed()).toBe(false);
    for (const member of [monitor, other]) pushTo(member, '+');
    expect([monitor, other].map(({ client }) => client.isClosed())).toEqual([true, false]);
  });
});
