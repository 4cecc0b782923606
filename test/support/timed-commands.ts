/**
 * Commands of a harness with a duration that the test chooses: what a connection does with the real one.
 */
import { Buffer } from 'node:buffer';
import type { Call } from '../../src/commands/call.ts';
import { findByName } from '../../src/commands/registry.ts';
import { noteTimed } from '../../src/commands/slow-commands.ts';
import { createReplyWriter } from '../../src/resp/reply-writer.ts';
import type { Harness } from './harness.ts';

type Timing = { durationUs: number; isAlone?: boolean };

/** Runs a command as the harness's first client and notes that it took so long, unless it was refused. Returns the reply. */
export function runTimed(
  harness: Harness,
  args: readonly (string | Buffer)[],
  { durationUs, isAlone = true }: Timing,
): string {
  const { session } = harness;
  session.lastCommand = '';
  const reply = harness.run(...args);
  const command = findByName(session.lastCommand);
  if (command === undefined) return reply;
  const call = { ...callOf(harness, args), command, isDeferred: reply === '' };
  noteTimed(call, durationUs * 1000, isAlone);
  return reply;
}

/** A call with these arguments, as it is behind the handler; its command is whatever its name says. */
export function callOf(harness: Harness, args: readonly (string | Buffer)[]): Call {
  const { engine, session, shards, nowMs } = harness;
  const pieces = args.map((arg) => (typeof arg === 'string' ? Buffer.from(arg, 'utf8') : arg));
  const spans = new Int32Array(2 * pieces.length);
  let at = 0;
  for (const [index, piece] of pieces.entries()) {
    spans[2 * index] = at;
    at += piece.length;
    spans[2 * index + 1] = at;
  }
  const [name, sub] = pieces.map((piece) => piece.toString('latin1').toLowerCase());
  const command = findByName(`${name}|${sub}`) ?? findByName(name);
  if (command === undefined) throw new Error(`there is no command ${name}`);
  return {
    engine,
    input: Buffer.concat(pieces),
    spans,
    count: pieces.length,
    command,
    session,
    reply: createReplyWriter(64),
    nowMs,
    isDeferred: false,
    shard: shards[0],
  };
}
