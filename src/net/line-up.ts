/**
 * What a connection is to be sent behind replies that others make (reply-places.ts): lined up in order until they are there.
 *
 * Runs on the worker of the connection. The line is undefined as long as nothing waits, so that a client all of whose commands run
 * here costs a test. A client with much in it, or many replies missing, waits with its next commands.
 */
import { Buffer } from 'node:buffer';
import { FORWARDED_BYTES_PER_CLIENT_MAX, FORWARDS_PER_CLIENT_MAX } from '../config/limits-cluster.ts';
import type { Connection, Output } from './serving.ts';

/**
 * Puts pieces behind those that wait, and takes what waits no more: up to the first reply that is not whole, and what there is of
 * that one. Bytes of the worker's writer are copied. O(pieces in the line).
 */
export function lineUp(connection: Connection, pieces: readonly Output[]): Output[] {
  const line = connection.lineUp ?? [];
  for (const piece of pieces) {
    line.push(piece.isPush || piece.place !== undefined ? piece : copyOutput(piece));
    if (!piece.isPush) connection.linedUpBytes += piece.bytes.length;
  }
  const ready: Output[] = [];
  let isOpen = false;
  let next = 0;
  for (; next < line.length && !isOpen; next += 1) {
    const { place } = line[next];
    if (place === undefined) ready.push(line[next]);
    else for (const bytes of place.chunks.splice(0)) ready.push({ bytes, isPush: false, place: undefined });
    isOpen = place !== undefined && !place.isWhole;
  }
  for (const { bytes, isPush } of ready) if (!isPush) connection.linedUpBytes -= bytes.length;
  connection.lineUp = isOpen ? line.slice(next - 1) : undefined;
  letGoOn(connection);
  return ready;
}

/** A piece that outlives the turn. */
export function copyOutput({ bytes, isPush, place }: Output): Output {
  return { bytes: Buffer.from(bytes), isPush, place };
}

/** To be called when more is open or lined up than before. */
export function holdBackIfCrowded(connection: Connection): void {
  const { isCrowded, openPlaces, linedUpBytes } = connection;
  if (isCrowded) return;
  if (openPlaces < FORWARDS_PER_CLIENT_MAX && linedUpBytes <= FORWARDED_BYTES_PER_CLIENT_MAX) return;
  connection.isCrowded = true;
  connection.suspensions += 1;
}

/** To be called when less is. */
export function letGoOn(connection: Connection): void {
  const { serving, openPlaces, linedUpBytes } = connection;
  if (connection.isSettling && openPlaces === 0) {
    connection.isSettling = false;
    serving.proceedLater(connection);
  }
  if (!connection.isCrowded || 2 * openPlaces > FORWARDS_PER_CLIENT_MAX) return;
  if (2 * linedUpBytes > FORWARDED_BYTES_PER_CLIENT_MAX) return;
  connection.isCrowded = false;
  serving.proceedLater(connection);
}
