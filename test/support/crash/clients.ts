/**
 * The load: connections that send what chance chooses, pipelined or not, and note in the history what they sent and what was answered.
 */
import { Buffer } from 'node:buffer';
import { requestBytes } from '../request-bytes.ts';
import { openWire, type Wire } from '../wire.ts';
import type { Chance } from './chance.ts';
import { chooseOperation, type Habit, type Keys } from './choose.ts';
import {
  type Counter,
  type Finding,
  type History,
  noteAcknowledged,
  noteRead,
  noteSent,
  noteWrite,
  type Register,
  type Session,
} from './history.ts';
import { requestOf } from './keyspace-model.ts';

/** What one connection does. Without a session it only reads what is shared. */
export type Role = {
  readonly name: string;
  /** Commands sent ahead of their replies, at most. */
  readonly depth: number;
  readonly session?: { readonly session: Session; readonly keys: Keys; readonly habit: Habit };
};

export type Load = {
  /** Stops sending; resolves when all that was sent is answered, or the connections are closed. */
  finish(): Promise<void>;
  /** Resolves when every connection has ended. */
  readonly ended: Promise<void>;
  /** Closes the connections, whatever is outstanding. */
  abandon(): void;
};

type Reply = Awaited<ReturnType<Wire['reply']>>;
type Settle = (reply: Reply) => Finding | undefined;
/** `ahead` takes the replies that come before the last one, where there are more. */
type Deed = { readonly request: Buffer; readonly ahead?: readonly Settle[]; readonly settle: Settle };
type Client = {
  readonly role: Role;
  readonly wire: Wire;
  readonly chance: Chance;
  readonly settles: Settle[];
};
type Switch = { isHalted: boolean };

const SHARED_SHARE = 0.25;
const READ_SHARE = 0.15;
const TOKEN_FILLING_BYTES_MAX = 200;
const INCREMENT_MAX = 50;
/** Of twenty writes, those above this are transactions. */
const TRANSACTION_CHOICE_MIN = 11;
const FINDINGS_MAX = 20;

/** Connects them all, then sets them going. Rejects where the server takes no connection. */
export async function startLoad(
  port: number,
  history: History,
  roles: readonly Role[],
  chanceOf: (client: number) => Chance,
): Promise<Load> {
  const control: Switch = { isHalted: false };
  const wires = await Promise.all(roles.map(() => openWire(port)));
  const clients = roles.map(
    (role, i): Client => ({ role, wire: wires[i], chance: chanceOf(i), settles: [] }),
  );
  // A closed connection is how most rounds end.
  const runs = clients.map((client) => converse(client, history, control).catch(() => client.wire.close()));
  const ended = Promise.all(runs).then(() => undefined);
  return {
    ended,
    finish: () => {
      control.isHalted = true;
      return ended;
    },
    abandon: () => {
      control.isHalted = true;
      for (const { wire } of clients) wire.close();
    },
  };
}

async function converse(client: Client, history: History, control: Switch): Promise<void> {
  const { role, wire, settles } = client;
  for (;;) {
    if (!control.isHalted && settles.length <= role.depth / 2) sendMore(client, history);
    const settle = settles.shift();
    if (settle === undefined) break;
    const wrong = settle(await wire.reply());
    if (wrong !== undefined && history.findings.length < FINDINGS_MAX) history.findings.push(wrong);
  }
  wire.close();
}

function sendMore({ role, wire, chance, settles }: Client, history: History): void {
  const requests: Buffer[] = [];
  while (settles.length < role.depth) {
    const deed = chooseDeed(role, history, chance);
    settles.push(...(deed.ahead ?? []), deed.settle);
    requests.push(deed.request);
  }
  wire.socket.write(Buffer.concat(requests));
}

function chooseDeed(role: Role, history: History, chance: Chance): Deed {
  const own = role.session;
  if (own === undefined) return chooseRead(role, history, chance);
  // A session that moves between databases would lose sight of the shared keys.
  const isRoaming = own.session.databases.length > 1 || own.session.databases[0] !== 0;
  if (isRoaming || !chance.happens(SHARED_SHARE))
    return ownDeed(own.session, own.keys, own.habit, history, chance);
  if (chance.happens(READ_SHARE)) return chooseRead(role, history, chance);
  if (chance.happens(0.3)) return add(chance.pick(history.counters), history, chance);
  return chooseWrite(role, chance.pick(history.registers), history, chance);
}

function ownDeed(session: Session, keys: Keys, habit: Habit, history: History, chance: Chance): Deed {
  const isFirst = session.outstanding.length === 0 && session.acknowledged.selected === 0;
  const mustSelect = isFirst && session.databases[0] !== 0;
  const operation = mustSelect
    ? ({ name: 'SELECT', database: session.databases[0] } as const)
    : chooseOperation(session, keys, habit, chance);
  const request = requestOf(operation);
  noteSent(session, operation, history.round, Date.now());
  const settle = (reply: Reply) => {
    const text = replyText(reply);
    if (!text.startsWith('-') && operation.name !== 'SELECT') history.acknowledgedWrites += 1;
    return noteAcknowledged(session, text, Date.now());
  };
  return { request, settle };
}

function chooseWrite(role: Role, register: Register, history: History, chance: Chance): Deed {
  const choice = chance.below(20);
  if (choice === 0) {
    const write = noteWrite(history, register, role.name, null);
    return settled(requestBytes('DEL', ...register.keys), history, ':', () => {
      write.endedAt = history.tick;
    });
  }
  const token = createToken(role, history, chance);
  if (choice > TRANSACTION_CHOICE_MIN) return transact(role, register, token, history);
  const write = noteWrite(history, register, role.name, token);
  const name = choice < 4 ? 'MSETNX' : 'MSET';
  const request = requestBytes(name, ...register.keys.flatMap((key) => [key, token]));
  return settled(request, history, choice < 4 ? ':' : '+OK', (reply) => {
    // MSETNX that found a key wrote nothing.
    if (reply === ':0') register.writes.splice(register.writes.lastIndexOf(write), 1);
    else write.endedAt = history.tick;
  });
}

/** The same token for all keys, one after the other, in a transaction: after a crash it is there as a whole or not at all. */
function transact(role: Role, register: Register, token: string, history: History): Deed {
  const write = noteWrite(history, register, role.name, token);
  const commands = [['MULTI'], ...register.keys.map((key) => ['SET', key, token]), ['EXEC']];
  const request = Buffer.concat(commands.map((command) => requestBytes(...command)));
  const ahead = commands.slice(0, -1).map(([name]): Settle => {
    const due = name === 'MULTI' ? '+OK' : '+QUEUED';
    return (reply) => (replyText(reply) === due ? undefined : refusal(replyText(reply), request));
  });
  const settle = (reply: Reply) => {
    if (!Array.isArray(reply) || reply.some((each) => each !== '+OK')) return refusal(String(reply), request);
    history.tick += 1;
    history.acknowledgedWrites += 1;
    write.endedAt = history.tick;
    return undefined;
  };
  return { request, ahead, settle };
}

function add(counter: Counter, history: History, chance: Chance): Deed {
  const by = 1 + chance.below(INCREMENT_MAX);
  counter.sentSum += by;
  return settled(requestBytes('INCRBY', counter.key, `${by}`), history, ':', (reply) => {
    counter.acknowledgedSum += by;
    counter.seen = Math.max(counter.seen, Number(reply.slice(1)));
  });
}

function settled(request: Buffer, history: History, expected: string, note: (reply: string) => void): Deed {
  const settle = (reply: Reply) => {
    const text = replyText(reply);
    if (!text.startsWith(expected)) return refusal(text, request);
    history.tick += 1;
    history.acknowledgedWrites += 1;
    note(text);
    return undefined;
  };
  return { request, settle };
}

function chooseRead(role: Role, history: History, chance: Chance): Deed {
  if (chance.happens(0.2)) return readCounter(chance.pick(history.counters));
  const register = chance.pick(history.registers);
  history.tick += 1;
  const fromAt = history.tick;
  const request = requestBytes('MGET', ...register.keys);
  const settle = (reply: Reply) => {
    if (!Array.isArray(reply)) return refusal(replyText(reply), request);
    const values = reply.map((item: Reply) => (Buffer.isBuffer(item) ? item.toString('latin1') : null));
    if (values.some((value) => value !== values[0])) return tornRead(register, role);
    noteRead(history, register, role.name, values[0], fromAt);
    return undefined;
  };
  return { request, settle };
}

function readCounter(counter: Counter): Deed {
  const request = requestBytes('GET', counter.key);
  const settle = (reply: Reply) => {
    if (Buffer.isBuffer(reply)) counter.seen = Math.max(counter.seen, Number(reply.toString('latin1')));
    else if (reply !== null) return refusal(replyText(reply), request);
    return undefined;
  };
  return { request, settle };
}

function createToken(role: Role, history: History, chance: Chance): string {
  const name = `${role.name}.${history.round}.${history.tick}.`;
  return name.padEnd(name.length + chance.below(TOKEN_FILLING_BYTES_MAX), name);
}

function tornRead(register: Register, role: Role): Finding {
  return {
    kind: 'torn',
    where: register.keys.join(', '),
    text: `${role.name} read different values of one group at once, before the kill`,
    history: [],
  };
}

function refusal(reply: string, request: Buffer): Finding {
  const command = request.toString('latin1').split('\r\n')[2];
  return {
    kind: 'refused',
    where: command,
    text: `it answered ${JSON.stringify(reply.slice(0, 80))}`,
    history: [],
  };
}

/** One line of text: bulk strings as `$` and their bytes. */
function replyText(reply: Reply): string {
  if (Buffer.isBuffer(reply)) return `$${reply.toString('latin1')}`;
  return reply === null ? '$-1' : String(reply);
}
