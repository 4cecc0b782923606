/**
 * A listener of server-sent events over a connection of its own, for tests.
 */
import { type ClientRequest, get, type IncomingMessage } from 'node:http';

type StreamEvent = { readonly event: string; readonly data: string };

export type EventStream = {
  readonly response: IncomingMessage;
  /** All that came so far, and all whole events of it. */
  text(): string;
  events(): StreamEvent[];
  /** Resolves to the next event of that name, from now on; rejects when the stream ends before. */
  next(event: string): Promise<StreamEvent>;
  /** Resolves when the stream has ended, from either side. */
  readonly ended: Promise<void>;
  close(): void;
};

/** Resolves once the headers are there. With `reads` false, nothing of the body is ever read. */
export function openEventStream(
  port: number,
  path: string,
  { headers = {}, reads = true }: { headers?: Record<string, string>; reads?: boolean } = {},
): Promise<EventStream> {
  return new Promise((resolve, reject) => {
    const request = get({ host: '127.0.0.1', port, path, headers, agent: false }, (response) =>
      resolve(wrap(request, response, reads)),
    );
    request.on('error', reject);
  });
}

function wrap(request: ClientRequest, response: IncomingMessage, reads: boolean): EventStream {
  let text = '';
  let hasEnded = false;
  const watchers = new Set<() => void>();
  const wake = () => {
    for (const watch of watchers) watch();
  };
  response.on('error', () => undefined);
  if (reads) {
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => {
      text += chunk;
      wake();
    });
  }
  const ended = new Promise<void>((resolve) => {
    response.once('close', () => {
      hasEnded = true;
      wake();
      resolve();
    });
  });
  const events = () => parseEvents(text);
  return {
    response,
    text: () => text,
    events,
    next: (name) => {
      const seen = events().length;
      return new Promise((resolve, reject) => {
        const watch = () => {
          const found = events()
            .slice(seen)
            .find(({ event }) => event === name);
          if (found === undefined && !hasEnded) return;
          watchers.delete(watch);
          if (found === undefined) reject(new Error(`the stream ended before '${name}'`));
          else resolve(found);
        };
        watchers.add(watch);
        watch();
      });
    },
    ended,
    close: () => request.destroy(),
  };
}

/** Blocks end with an empty line; the last one may be cut. */
function parseEvents(text: string): StreamEvent[] {
  const found: StreamEvent[] = [];
  for (const block of text.split('\n\n').slice(0, -1)) {
    const fieldOf = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1];
    const data = fieldOf('data');
    if (data !== undefined) found.push({ event: fieldOf('event') ?? 'message', data });
  }
  return found;
}
