/**
 * The prefixes of keys that clients want to hear of (CLIENT TRACKING with BCAST), of all threads, and what is to be told.
 *
 * One per thread. Which prefixes other threads have is known everywhere, so that a change that fits none is told to nobody. Keys are
 * found by their beginnings of the lengths that prefixes have: a look-up for each such length, however many there are.
 */
import type { Session } from './session.ts';

export type Prefix = {
  readonly text: string;
  /** The clients of this thread. */
  readonly clients: Set<Session>;
  /** The other threads that have clients. */
  readonly threads: Set<number>;
  /** Keys that its clients are to be told, each with the client of this thread that was the last to change it. */
  readonly keys: Map<string, Session | undefined>;
};

export type Prefixes = {
  readonly byText: Map<string, Prefix>;
  /** How many prefixes there are of each length. */
  readonly lengths: Map<number, number>;
  /** Those with keys to tell. */
  readonly due: Set<Prefix>;
  /** Keys to tell, counted for each of their prefixes. */
  keysDue: number;
};

export function createPrefixes(): Prefixes {
  return { byText: new Map(), lengths: new Map(), due: new Set(), keysDue: 0 };
}

/** True when it is the first client of this thread. */
export function addClient(prefixes: Prefixes, text: string, client: Session): boolean {
  const { clients } = prefixOf(prefixes, text);
  clients.add(client);
  return clients.size === 1;
}

export function addThread(prefixes: Prefixes, text: string, threadId: number): void {
  prefixOf(prefixes, text).threads.add(threadId);
}

/** True when it was the last client of this thread. */
export function removeClient(prefixes: Prefixes, text: string, client: Session): boolean {
  const prefix = prefixes.byText.get(text);
  if (prefix === undefined || !prefix.clients.delete(client)) return false;
  dropIfUnused(prefixes, prefix);
  return prefix.clients.size === 0;
}

export function removeThread(prefixes: Prefixes, text: string, threadId: number): void {
  const prefix = prefixes.byText.get(text);
  if (prefix === undefined) return;
  prefix.threads.delete(threadId);
  dropIfUnused(prefixes, prefix);
}

export function forgetThread(prefixes: Prefixes, threadId: number): void {
  for (const { text } of [...prefixes.byText.values()]) removeThread(prefixes, text, threadId);
}

/** The prefixes that clients of this thread have. */
export function ownTexts({ byText }: Prefixes): string[] {
  const own: string[] = [];
  for (const { text, clients } of byText.values()) if (clients.size > 0) own.push(text);
  return own;
}

/** Fills `found` with the prefixes that the key begins with. */
export function findPrefixes({ byText, lengths }: Prefixes, key: string, found: Prefix[]): void {
  found.length = 0;
  for (const length of lengths.keys()) {
    if (length > key.length) continue;
    const prefix = byText.get(length === key.length ? key : key.slice(0, length));
    if (prefix !== undefined) found.push(prefix);
  }
}

/** Keeps a key for the clients of this thread; `by` changed it. */
export function keepKey(prefixes: Prefixes, prefix: Prefix, key: string, by: Session | undefined): void {
  if (!prefix.keys.has(key)) prefixes.keysDue += 1;
  prefix.keys.set(key, by);
  prefixes.due.add(prefix);
}

/** Takes out the prefixes that have something to tell, in order of their bytes. The caller empties their keys. */
export function takeDue(prefixes: Prefixes): Prefix[] {
  const due = [...prefixes.due].sort((a, b) => (a.text < b.text ? -1 : 1));
  prefixes.due.clear();
  prefixes.keysDue = 0;
  return due;
}

function prefixOf({ byText, lengths }: Prefixes, text: string): Prefix {
  let prefix = byText.get(text);
  if (prefix !== undefined) return prefix;
  prefix = { text, clients: new Set(), threads: new Set(), keys: new Map() };
  byText.set(text, prefix);
  lengths.set(text.length, (lengths.get(text.length) ?? 0) + 1);
  return prefix;
}

function dropIfUnused({ byText, lengths }: Prefixes, { text, clients, threads }: Prefix): void {
  if (clients.size > 0 || threads.size > 0) return;
  byText.delete(text);
  const left = (lengths.get(text.length) ?? 0) - 1;
  if (left > 0) lengths.set(text.length, left);
  else lengths.delete(text.length);
}
