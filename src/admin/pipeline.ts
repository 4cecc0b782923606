/**
 * Several commands of one client of HTTP, one after the other: what may run, from JSON to arguments, and the replies.
 *
 * Main thread. A pipeline is no transaction: others run between its commands, but for those between MULTI and EXEC, which stand in one
 * pipeline. After some milliseconds it leaves the thread to others and goes on behind them.
 */
import { Buffer } from 'node:buffer';
import type { Command } from '../commands/call.ts';
import { countIfError } from '../commands/error-replies.ts';
import { findCommand } from '../commands/registry.ts';
import type { Deferred, Session } from '../commands/session.ts';
import { endTransaction } from '../commands/transactions.ts';
import {
  LOG_BEHIND_ROUNDS_MAX,
  PIPELINE_COMMANDS_MAX,
  PIPELINE_REPLY_BYTES_MAX,
  PIPELINE_TURN_MS,
} from '../config/limits.ts';
import { createReplyWriter } from '../resp/reply-writer.ts';
import {
  type CommandRunner,
  createHttpSession,
  isLogBehind,
  LOG_BEHIND,
  type RunTrouble,
  runCommand,
  whenLogWritten,
  whenReplySafe,
} from './command-runner.ts';

/** A command's arguments, the name first: a text in UTF-8, a number as JSON has it, or any bytes. */
export type PipelineCommand = readonly (string | number | { readonly base64: string })[];

export type PipelineRequest = {
  readonly commands: readonly PipelineCommand[];
  readonly database: number;
  /** `address:port` of the peer. */
  readonly address: string;
  /** Who asks, by name. */
  readonly user: string;
};

/** The replies in RESP3, one for each command. */
export type PipelineReplies = { readonly replies: readonly Buffer[] };

/** Groups of the tables that belong to a connection, which a client of HTTP does not have. */
const REFUSED_GROUPS: ReadonlySet<string> = new Set(['connection', 'scripting']);
const ALLOWED_NAMES: ReadonlySet<string> = new Set([
  'ping',
  'echo',
  'client|list',
  'client|kill',
  'client|help',
]);
/** What never ends, what ends the process, what wants a connection. */
const REFUSED_NAMES: ReadonlySet<string> = new Set([
  'monitor',
  'subscribe',
  'psubscribe',
  'ssubscribe',
  'unsubscribe',
  'punsubscribe',
  'sunsubscribe',
  'shutdown',
  'debug',
  'sync',
  'psync',
  'wait',
  'waitaof',
]);

const REPLY_BYTES_START = 256;

/** Both alphabets of RFC 4648. Node would leave out what is none of it, and other bytes would be stored. */
const BASE64_PATTERN = /^[\w+/-]*={0,2}$/;

/** For what ends a connection of RESP without a reply: `POST` and `HOST:`, the words of a browser. */
const NO_COMMAND = errorReply('ERR there is no such command');
const TOO_LONG = errorReply('ERR the replies are too long: ask for less at a time');

type PipelineRun = {
  readonly runner: CommandRunner;
  readonly session: Session;
  readonly replies: Buffer[];
  replyBytes: number;
  /** Whether something was changed since the log was last up to date. */
  hasWritten: boolean;
  /** The turns of the settling when its first command ran that may not be in the log yet. */
  turns: number;
  /** A key that was to be watched is not: no transaction of this pipeline is executed any more. */
  hasLostWatch: boolean;
  /** Set while the running command answers later: the reply, and what ends that without one. */
  late: Promise<Buffer> | undefined;
  endLate: ((reply: Buffer) => void) | undefined;
};

/** What is wrong with the body as commands; undefined: nothing. */
export function pipelineFault(body: unknown): string | undefined {
  if (!Array.isArray(body)) return 'the body is to be an array of commands';
  if (body.length > PIPELINE_COMMANDS_MAX) return `at most ${PIPELINE_COMMANDS_MAX} commands at a time`;
  const index = body.findIndex((command) => !isCommand(command));
  if (index < 0) return undefined;
  return `command ${index} is to be an array of strings, numbers, or { "base64": "..." } for bytes, with the name first`;
}

/**
 * Executes them in order. Resolves once their replies may leave; to a trouble where all were not executed, or their changes may
 * not last. A command whose shard is busy is answered with an error of its own.
 */
export async function runPipeline(
  runner: CommandRunner,
  request: PipelineRequest,
): Promise<PipelineReplies | RunTrouble> {
  const run: PipelineRun = {
    ...{ runner, replies: [], replyBytes: 0, hasWritten: false, turns: runner.settling.turns },
    ...{ late: undefined, endLate: undefined, hasLostWatch: false },
    session: createHttpSession(runner.engine, request.address, request.database, {
      defer: () => deferLate(run),
      destroy: () => run.endLate?.(TOO_LONG),
    }),
  };
  run.session.user = request.user;
  const outcome = await runAll(run, request.commands);
  endTransaction(run.session);
  return outcome;
}

async function runAll(
  run: PipelineRun,
  commands: readonly PipelineCommand[],
): Promise<PipelineReplies | RunTrouble> {
  const { runner } = run;
  const { monotonicMs } = runner.settling;
  let turnEndMs = monotonicMs() + PIPELINE_TURN_MS;
  for (const command of commands) {
    if (monotonicMs() > turnEndMs || isLogBehind(runner)) {
      // What lies behind in the log is written before more is changed.
      const trouble = await safely(run);
      if (trouble !== undefined) return trouble;
      await new Promise(setImmediate);
      turnEndMs = monotonicMs() + PIPELINE_TURN_MS;
      run.turns = runner.settling.turns;
    }
    keep(run, await runOne(run, command));
  }
  return (await safely(run)) ?? run;
}

function isCommand(command: unknown): command is PipelineCommand {
  return Array.isArray(command) && command.length > 0 && command.every(isArgument);
}

function isArgument(argument: unknown): boolean {
  if (typeof argument === 'string' || typeof argument === 'number') return true;
  const base64 = (argument as { base64?: unknown } | null)?.base64;
  return typeof base64 === 'string' && BASE64_PATTERN.test(base64);
}

async function runOne(run: PipelineRun, command: PipelineCommand): Promise<Buffer> {
  if (run.replyBytes > PIPELINE_REPLY_BYTES_MAX) return TOO_LONG;
  const { runner, session } = run;
  const { changes } = runner.engine;
  const { input, spans } = argumentsOf(command);
  const refusal = refusalOf(input, spans);
  const name = findCommand(input, spans[0], spans[1])?.spec.name ?? '';
  if (refusal !== undefined) {
    spoilTransaction(run, name);
    return errorReply(`ERR ${refusal}`);
  }
  // What it was to be executed for unchanged is not known to be so.
  if (name === 'exec' && run.hasLostWatch && session.transaction !== undefined)
    session.transaction.isDirty = true;
  const writesBefore = changes.writes;
  run.late = undefined;
  // One reply that was too long does not end the others.
  session.closing = false;
  let trouble = runCommand(runner, session, input, spans);
  for (let left = LOG_BEHIND_ROUNDS_MAX; trouble === LOG_BEHIND && left > 0; left -= 1) {
    if (!(await isLogWritten(runner))) break;
    trouble = runCommand(runner, session, input, spans);
  }
  if (changes.writes !== writesBefore) run.hasWritten = true;
  if (trouble !== undefined) {
    spoilTransaction(run, name);
    return errorReply(`TRYAGAIN ${trouble.detail}`);
  }
  const { bytes, length } = runner.reply;
  if (run.late !== undefined) return run.late;
  if (length > 0) return Buffer.from(bytes.subarray(0, length));
  return name === 'exec' ? TOO_LONG : NO_COMMAND;
}

/** A command of this name was not executed: neither is the transaction that it was a part of, or is to begin with it. */
function spoilTransaction(run: PipelineRun, name: string): void {
  const { session } = run;
  if (name === 'exec') endTransaction(session);
  else if (name === 'watch') run.hasLostWatch = true;
  else if (session.transaction !== undefined) session.transaction.isDirty = true;
}

function isLogWritten(runner: CommandRunner): Promise<boolean> {
  return new Promise((resolve) => whenLogWritten(runner, resolve));
}

function keep(run: PipelineRun, reply: Buffer): void {
  run.replyBytes += reply.length;
  // As JSON it may take six times as much, which main writes in one go.
  run.replies.push(run.replyBytes > PIPELINE_REPLY_BYTES_MAX ? TOO_LONG : reply);
}

function safely(run: PipelineRun): Promise<RunTrouble | undefined> {
  const { promise, resolve } = Promise.withResolvers<RunTrouble | undefined>();
  whenReplySafe(run.runner, run.hasWritten, run.turns, resolve);
  run.hasWritten = false;
  return promise;
}

function deferLate(run: PipelineRun): Deferred {
  const { promise, resolve } = Promise.withResolvers<Buffer>();
  run.late = promise;
  run.endLate = resolve;
  return {
    resume: (write) => {
      const reply = createReplyWriter(REPLY_BYTES_START);
      reply.protocol = run.session.protocol;
      write(reply);
      countIfError(run.runner.engine, reply, 0);
      resolve(reply.bytes.subarray(0, reply.length));
    },
  };
}

function argumentsOf(command: PipelineCommand): { input: Buffer; spans: Int32Array } {
  const spans = new Int32Array(2 * command.length);
  let end = 0;
  const parts = command.map((argument, index) => {
    const part =
      typeof argument === 'object' ? Buffer.from(argument.base64, 'base64') : Buffer.from(String(argument));
    spans[2 * index] = end;
    end += part.length;
    spans[2 * index + 1] = end;
    return part;
  });
  return { input: Buffer.concat(parts, end), spans };
}

/** Why a client without a connection cannot have this command; undefined for the others, unknown ones too. */
function refusalOf(input: Buffer, spans: Int32Array): string | undefined {
  const top = findCommand(input, spans[0], spans[1]);
  if (top === undefined) return undefined;
  const subcommand =
    spans.length > 2
      ? top.subcommands?.get(input.toString('latin1', spans[2], spans[3]).toLowerCase())
      : undefined;
  if (!isRefused(top, subcommand ?? top)) return undefined;
  return `'${(subcommand ?? top).spec.name}' is not for HTTP: it wants a connection of its own, or ends more than one`;
}

function isRefused({ spec: container }: Command, { spec }: Command): boolean {
  if (ALLOWED_NAMES.has(spec.name)) return false;
  return REFUSED_GROUPS.has(spec.group) || REFUSED_NAMES.has(container.name);
}

function errorReply(text: string): Buffer {
  return Buffer.from(`-${text}\r\n`);
}
