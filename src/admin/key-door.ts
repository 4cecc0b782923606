/**
 * One key over HTTP: GET, HEAD, PUT and DELETE of /v1/keys/{key}, bytes in and out. Main thread.
 *
 * Below Fastify, on requests and responses of node:http: its routing and its reply cost a third of such a request. Fastify has
 * routes for it too (key-routes.ts), which describe it, and come here.
 */
import { Buffer } from 'node:buffer';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { User } from '../commands/acl-user.ts';
import { LOG_BEHIND_ROUNDS_MAX } from '../config/limits.ts';
import { slotOfKey } from '../routing/slot.ts';
import { valueBytesMax } from '../shard/keyspace.ts';
import {
  type CommandRunner,
  LOG_BEHIND,
  type RunTrouble,
  whenLogWritten,
  whenReplySafe,
} from './command-runner.ts';
import type { Refusal } from './guard.ts';
import { answerError, answerOutcome, answerProblem, answerTooLarge, answerTrouble } from './key-answers.ts';
import { type KeyBody, readKeyBody } from './key-body.ts';
import { KEY_AT, type KeyOutcome, type KeyRequest, readKey, removeKey, storeKey } from './key-commands.ts';
import { keyFromUrl, pathFrom, routedUrl } from './key-name.ts';
import { type KeyQuery, readKeyQuery } from './key-query.ts';
import { peerAddress } from './peer-address.ts';
import { errorText, pagesElsewhere } from './reply-problem.ts';

export type KeyDoor = {
  readonly commands: CommandRunner;
  readonly admit: (request: IncomingMessage) => User | Refusal;
  readonly onBug: (error: unknown) => void;
};

/** As Fastify hands on what it has rewritten. */
type KeyMessage = IncomingMessage & { readonly originalUrl?: string };

/** What the query says, and who asks. */
type AskedQuery = KeyQuery & { readonly user: string };

type KeyFunction = (runner: CommandRunner, request: KeyRequest) => KeyOutcome | RunTrouble;

const METHODS: ReadonlySet<string | undefined> = new Set(['GET', 'HEAD', 'PUT', 'DELETE']);
const FUNCTIONS: Readonly<Record<string, KeyFunction>> = {
  GET: readKey,
  HEAD: readKey,
  PUT: storeKey,
  DELETE: removeKey,
};

/** Whether `serveKey` is to answer a request: it asks for a key, in a way that keys know. */
export function isKeyRequest({ method, url = '' }: IncomingMessage): boolean {
  return METHODS.has(method) && routedUrl(url) !== url;
}

/** Answers a request that asks for a key. */
export function serveKey(door: KeyDoor, message: KeyMessage, response: ServerResponse): void {
  try {
    const admitted = door.admit(message);
    if ('status' in admitted) answerRefusal(response, admitted);
    else serve(door, message, response, admitted.name);
  } catch (error) {
    failWithBug(door, response, error);
  }
}

function serve(door: KeyDoor, message: KeyMessage, response: ServerResponse, user: string): void {
  const url = pathFrom(message.originalUrl ?? message.url ?? '');
  const isPut = message.method === 'PUT';
  const query = readKeyQuery(url, isPut, door.commands.engine.config.databases);
  const key = keyFromUrl(url);
  if (typeof query === 'string') answerProblem(response, 400, query);
  else if (key === undefined) answerProblem(response, 400, 'the key is not well percent-encoded');
  else if (isPut) receiveValue(door, message, response, { ...query, user }, key);
  else execute(door, message, response, { ...query, user }, keyAlone(key));
}

function receiveValue(
  door: KeyDoor,
  message: KeyMessage,
  response: ServerResponse,
  query: AskedQuery,
  key: Buffer,
): void {
  const { engine } = door.commands;
  const shard = engine.shards[engine.slotShard[slotOfKey(key, 0, key.length)]];
  const bytesMax = Math.min(engine.config.protoMaxBulkLen, valueBytesMax(shard, key.length));
  readKeyBody(message, key, bytesMax, (body) => {
    try {
      if (body === 'too-large') answerTooLarge(response, bytesMax);
      else if (body instanceof Error) response.destroy();
      else execute(door, message, response, query, body);
    } catch (error) {
      failWithBug(door, response, error);
    }
  });
}

function execute(
  door: KeyDoor,
  message: KeyMessage,
  response: ServerResponse,
  query: AskedQuery,
  body: KeyBody,
  roundsLeft = LOG_BEHIND_ROUNDS_MAX,
): void {
  const { commands } = door;
  const { database, ttlMs, user } = query;
  const { changes } = commands.engine;
  const { method = '', headers, socket } = message;
  const writesBefore = changes.writes;
  const result = FUNCTIONS[method](commands, {
    ...{ ...body, database, ttlMs, user },
    address: peerAddress(socket),
    ifMatch: headers['if-match'],
    ifNoneMatch: headers['if-none-match'],
  });
  if (result === LOG_BEHIND && roundsLeft > 0) {
    whenLogWritten(commands, (isWritten) => {
      try {
        execute(door, message, response, query, body, isWritten ? roundsLeft - 1 : 0);
      } catch (error) {
        failWithBug(door, response, error);
      }
    });
    return;
  }
  if ('detail' in result) {
    answerTrouble(response, result);
    return;
  }
  const { bytes, length } = commands.reply;
  const error = result.kind === 'refused' ? errorText(bytes, length) : undefined;
  // Others are executed before this one is answered.
  const outcome = { ...result };
  whenReplySafe(commands, changes.writes !== writesBefore, commands.settling.turns, (trouble) => {
    if (trouble !== undefined) answerTrouble(response, trouble);
    else if (error !== undefined) answerError(response, error, pagesElsewhere(commands.engine, error));
    else answerOutcome(response, method, outcome);
  });
}

function answerRefusal(response: ServerResponse, { status, detail, challenge }: Refusal): void {
  answerProblem(response, status, detail, challenge === '' ? [] : ['www-authenticate', challenge]);
}

/** Fastify is not there to catch it. */
function failWithBug(door: KeyDoor, response: ServerResponse, error: unknown): void {
  door.onBug(error);
  if (response.headersSent) response.destroy();
  else answerProblem(response, 500, 'the log of the server has the reason');
}

function keyAlone(key: Buffer): KeyBody {
  const input = Buffer.allocUnsafe(KEY_AT + key.length);
  key.copy(input, KEY_AT);
  return { input, keyBytes: key.length };
}
