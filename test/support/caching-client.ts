/**
 * A client that keeps what it reads, as a library for client-side caching does: it drops what the server calls invalid, and trusts
 * the rest. RESP3 over one connection, whose order is all that it goes by.
 */
import type { Buffer } from 'node:buffer';
import { requestBytes } from './request-bytes.ts';
import { openWire, type Wire } from './wire.ts';

export type CachingClient = {
  readonly wire: Wire;
  /** What it has read and believes to be so still; null: there is no such key. */
  readonly kept: Map<string, string | null>;
  /** Messages from the server: the keys of each, null for all keys. */
  readonly heard: (string[] | null)[];
  /** From what it keeps, or from the server. */
  read(key: string): Promise<string | null>;
  /** Sends a command and takes its reply. */
  ask(...command: string[]): Promise<Answer>;
  close(): void;
};

/** Bulk strings and lines as text, lines with their first character. */
type Answer = string | null | readonly Answer[];

type Waiter = { readonly key: string | undefined; readonly resolve: (answer: Answer) => void };

/** Resolves when the server tracks for it. `options` are those of CLIENT TRACKING ON. */
export async function openCachingClient(
  port: number,
  options: readonly string[] = [],
): Promise<CachingClient> {
  const wire = await openWire(port);
  await wire.ask('HELLO', '3');
  const kept = new Map<string, string | null>();
  const heard: (string[] | null)[] = [];
  const waiters: Waiter[] = [];
  const isOptIn = options.includes('OPTIN');
  const send = (key: string | undefined, command: readonly string[]): Promise<Answer> =>
    new Promise((resolve) => {
      waiters.push({ key, resolve });
      wire.socket.write(requestBytes(...command));
    });
  void receive(wire, kept, heard, waiters);
  const client: CachingClient = {
    ...{ wire, kept, heard },
    read: async (key) => {
      const value = kept.get(key);
      if (value !== undefined) return value;
      if (isOptIn) void send(undefined, ['CLIENT', 'CACHING', 'YES']);
      return (await send(key, ['GET', key])) as string | null;
    },
    ask: (...command) => send(undefined, command),
    close: () => wire.close(),
  };
  await client.ask('CLIENT', 'TRACKING', 'ON', ...options);
  return client;
}

async function receive(
  wire: Wire,
  kept: Map<string, string | null>,
  heard: (string[] | null)[],
  waiters: Waiter[],
): Promise<void> {
  for (;;) {
    let answer: Answer;
    try {
      answer = asAnswer(await wire.reply());
    } catch {
      return;
    }
    if (Array.isArray(answer) && answer[0] === 'invalidate') {
      const keys = answer[1] as string[] | null;
      heard.push(keys);
      if (keys === null) kept.clear();
      else for (const key of keys) kept.delete(key);
      continue;
    }
    const waiter = waiters.shift();
    // What came before is older than the answer, whatever it said.
    if (waiter?.key !== undefined && (answer === null || typeof answer === 'string')) {
      kept.set(waiter.key, answer);
    }
    waiter?.resolve(answer);
  }
}

function asAnswer(reply: unknown): Answer {
  if (reply === null || typeof reply === 'string') return reply;
  if (Array.isArray(reply)) return reply.map(asAnswer);
  return (reply as Buffer).toString('latin1');
}
