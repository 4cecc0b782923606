/**
 * CLIENT KILL: closes the connections of the clients, of all threads, that fit every condition.
 *
 * Each thread closes those of its own (topic 'client-kill') and tells how many; the asking client goes last, when it has
 * its answer.
 */
import { writeError, writeInteger, writeOk } from '../resp/reply-writer.ts';
import { argumentText, isWord, printedText, replySyntaxError } from './arguments.ts';
import { type Call, deferReply } from './call.ts';
import { clientIdOf } from './client-id.ts';
import { type ClientType, readClientType, typeOfClient } from './client-type.ts';
import type { Engine } from './engine.ts';
import type { Session } from './session.ts';

const TOPIC = 'client-kill';

/** Ids begin with 1. */
const NO_CLIENT = 0;

/** What a client must be to be closed: undefined for whatever. Travels between threads. */
type KillQuery = {
  askingId: number;
  id: number | undefined;
  type: ClientType | undefined;
  user: string | undefined;
  address: string | undefined;
  localAddress: string | undefined;
  skipsAsking: boolean;
};

/** How many of a thread's clients were closed, and whether the asking one, which is still open, is to follow them. */
type KillCount = { readonly closed: number; readonly includesAsking: boolean };

/** Carries out other threads' (and this one's) CLIENT KILL on the clients served here. */
export function installClientKill(engine: Engine): void {
  engine.bus.handle(TOPIC, (payload) => killClients(engine, payload as KillQuery));
}

export function clientKill(call: Call): void {
  const isOldForm = call.count === 3;
  const query = isOldForm ? oldQuery(call) : readQuery(call);
  if (query === undefined) return;
  const deferred = deferReply(call);
  const { connection } = call.session;
  call.engine.bus.requestAll(TOPIC, query).then((answers) => {
    const counts = answers as KillCount[];
    const includesAsking = counts.some((count) => count.includesAsking);
    const closed = counts.reduce((sum, count) => sum + count.closed, 0) + (includesAsking ? 1 : 0);
    deferred.resume((reply) => {
      if (!isOldForm) writeInteger(reply, closed);
      else if (closed > 0) writeOk(reply);
      else writeError(reply, 'ERR No such client');
      if (includesAsking) connection.closeAfterReply();
    });
  });
}

/** Closes the connection of one client, for somebody who is none; false where there is no such client. */
export async function killClient({ bus }: Engine, id: number): Promise<boolean> {
  const counts = (await bus.requestAll(TOPIC, { ...emptyQuery(NO_CLIENT), id })) as KillCount[];
  return counts.some(({ closed }) => closed > 0);
}

function emptyQuery(askingId: number): KillQuery {
  return {
    askingId,
    id: undefined,
    type: undefined,
    user: undefined,
    address: undefined,
    localAddress: undefined,
    skipsAsking: true,
  };
}

/** CLIENT KILL address, which may be one's own. */
function oldQuery(call: Call): KillQuery {
  return { ...emptyQuery(call.session.id), address: addressOf(call, 2), skipsAsking: false };
}

/** Undefined after an error. Of an option that is given twice, the last counts. */
function readQuery(call: Call): KillQuery | undefined {
  const query = emptyQuery(call.session.id);
  for (let index = 2; index < call.count; index += 2) {
    if (!readCondition(call, index, query)) return undefined;
  }
  return query;
}

function readCondition(call: Call, index: number, query: KillQuery): boolean {
  if (index + 1 < call.count) {
    if (isWord(call, index, 'ID')) return readId(call, index + 1, query);
    if (isWord(call, index, 'TYPE')) {
      query.type = readClientType(call, index + 1);
      return query.type !== undefined;
    }
    if (isWord(call, index, 'ADDR')) {
      query.address = addressOf(call, index + 1);
      return true;
    }
    if (isWord(call, index, 'LADDR')) {
      query.localAddress = addressOf(call, index + 1);
      return true;
    }
    if (isWord(call, index, 'USER')) return readUser(call, index + 1, query);
    if (isWord(call, index, 'SKIPME')) return readSkipMe(call, index + 1, query);
  }
  replySyntaxError(call);
  return false;
}

function readId(call: Call, index: number, query: KillQuery): boolean {
  const id = clientIdOf(call, index);
  query.id = id;
  if (id >= 1) return true;
  writeError(call.reply, 'ERR client-id should be greater than 0');
  return false;
}

function readUser(call: Call, index: number, query: KillQuery): boolean {
  query.user = argumentText(call, index);
  if (call.engine.access.users.has(argumentText(call, index))) return true;
  writeError(call.reply, `ERR No such user '${printedText(call, index)}'`);
  return false;
}

function readSkipMe(call: Call, index: number, query: KillQuery): boolean {
  query.skipsAsking = isWord(call, index, 'YES');
  if (query.skipsAsking || isWord(call, index, 'NO')) return true;
  replySyntaxError(call);
  return false;
}

/** A unix socket's path may be any text, so addresses are UTF-8. */
function addressOf(call: Call, index: number): string {
  return call.input.toString('utf8', call.spans[2 * index], call.spans[2 * index + 1]);
}

function killClients(engine: Engine, query: KillQuery): KillCount {
  let closed = 0;
  let includesAsking = false;
  for (const session of [...engine.sessions.values()]) {
    if (!isMeant(session, query)) continue;
    if (session.id === query.askingId) includesAsking = !query.skipsAsking;
    else {
      session.connection.destroy();
      closed += 1;
    }
  }
  return { closed, includesAsking };
}

function isMeant(session: Session, { id, type, user, address, localAddress }: KillQuery): boolean {
  return (
    (id === undefined || session.id === id) &&
    (type === undefined || type === typeOfClient(session)) &&
    (user === undefined || session.user === user) &&
    (address === undefined || session.address === address) &&
    (localAddress === undefined || session.localAddress === localAddress)
  );
}
