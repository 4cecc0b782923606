/**
 * Replies that others make while a client's next commands run: each has its place in the order of the client's replies.
 *
 * Runs on the worker of the connection. Until the reply of a place is whole, what comes behind it is lined up (line-up.ts); what has
 * come of the first one leaves as it comes. A client waits with its next commands while it has many places open or much lined
 * up; and until none is open where the next command might overtake those before it: after a change of the cluster's
 * topology another node may answer for the same key, and so may the other link to it after HELLO; what several nodes do in parts this
 * one may do a part of, later than what comes next; and WAIT is about all before it.
 */
import { Buffer } from 'node:buffer';
import { equalsWord } from '../base/bytes.ts';
import { REPLY_OFF, REPLY_SKIP, type ReplyPlace } from '../commands/session.ts';
import { TABLE_VERSION } from '../routing/node-table.ts';
import { holdBackIfCrowded, letGoOn } from './line-up.ts';
import { noteDirty } from './output.ts';
import type { Connection } from './serving.ts';

const NOTHING = Buffer.alloc(0);

/** Takes the place of the reply of the command that runs; see `SessionConnection.places`. */
export function openPlace(connection: Connection, holdsBack: boolean): ReplyPlace {
  const { serving, session, isRunning, outputEnd } = connection;
  const isDropped = session.replyMode === REPLY_SKIP || session.replyMode === REPLY_OFF;
  const place: ReplyPlace = { chunks: [], isWhole: false, isDropped };
  connection.openPlaces += 1;
  connection.placesVersion = versionOf(connection);
  connection.placesProtocol = session.protocol;
  if (!isDropped) {
    connection.pushes ??= [];
    connection.pushes.push({ at: isRunning ? serving.reply.length : outputEnd, bytes: NOTHING, place });
    noteDirty(connection);
  }
  if (holdsBack) awaitPlaces(connection);
  holdBackIfCrowded(connection);
  return place;
}

/** Adds bytes to the reply of a place, which must not change any more. */
export function addToPlace(connection: Connection, place: ReplyPlace, bytes: Buffer): void {
  if (connection.isDestroyed || place.isDropped || bytes.length === 0) return;
  const { serving } = connection;
  place.chunks.push(bytes);
  connection.linedUpBytes += bytes.length;
  serving.keptBytes += bytes.length;
  noteDirty(connection);
  holdBackIfCrowded(connection);
}

/** The reply of a place is whole. */
export function endPlace(connection: Connection, place: ReplyPlace): void {
  if (place.isWhole) return;
  place.isWhole = true;
  connection.openPlaces -= 1;
  if (connection.isDestroyed) return;
  const { serving, session } = connection;
  if (serving.nowMs === 0) serving.nowMs = serving.engine.wallMs();
  session.lastActiveMs = serving.nowMs;
  noteDirty(connection);
  letGoOn(connection);
}

/** Whether the client's next command has to wait until no place is open, whichever it is; it is held back then. */
export function mustAwaitPlaces(connection: Connection): boolean {
  const { session, placesProtocol, placesVersion } = connection;
  if (session.protocol === placesProtocol && versionOf(connection) === placesVersion) return false;
  awaitPlaces(connection);
  return true;
}

/** The same because of the command that it is, whose name is `bytes[start, end)`: it asks what became of those before it. */
export function mustAwaitChanges(connection: Connection, bytes: Buffer, start: number, end: number): boolean {
  if (!equalsWord(bytes, start, end, 'WAIT') && !equalsWord(bytes, start, end, 'WAITAOF')) return false;
  awaitPlaces(connection);
  return true;
}

function awaitPlaces(connection: Connection): void {
  if (connection.isSettling) return;
  connection.isSettling = true;
  connection.suspensions += 1;
}

function versionOf({ serving }: Connection): number {
  return serving.engine.cluster?.table.words[TABLE_VERSION] ?? 0;
}
