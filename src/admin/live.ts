/**
 * The stream at /v1/live: server-sent events (WHATWG HTML, 9.2), once a second a `sample` and a `state`.
 *
 * Main thread. One hub for all addresses: the events are made once a second for all listeners together, and not at all while
 * there are none. A listener whose last event has not left yet misses the next ones, and is dropped when that lasts; so
 * what waits for it is one event at most. One that would not be let in any more, since the password is another one, is dropped,
 * too. A stream may last: the bound on the time of a request (ADMIN_REQUEST_MS_MAX) ends
 * with its last header, and each stream is one of ADMIN_CONNECTIONS_MAX. Closing the app ends its streams at once. What a
 * page missed while it was not connected, it takes from /v1/history.
 */
import { Buffer } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { fastifySSE } from '@fastify/sse';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { LIVE_BEHIND_MS_MAX, LIVE_LISTENERS_MAX, LIVE_RETRY_MS } from '../config/limits.ts';
import { admitRequest, pageRefusal } from './guard.ts';
import type { LiveSample } from './history.ts';
import type { LiveState } from './live-state.ts';
import { sendProblem } from './problem.ts';
import type { AdminSources } from './sources.ts';

/** Where the events come from. No sample before the first second is over. */
export type LiveFeed = {
  readonly sample: () => LiveSample | undefined;
  readonly state: () => LiveState;
  readonly monotonicMs: () => number;
};

export type LiveHub = { readonly feed: LiveFeed; readonly listeners: Set<Listener> };

type Listener = {
  readonly reply: FastifyReply;
  /** Whether its request would still be let in: the password may be another one by now. */
  readonly isWelcome: () => boolean;
  behindSinceMs: number | undefined;
};

/** What a user must be able to run to see it. */
const PAGE_COMMAND = 'info';

const SCHEMA = {
  summary: 'The server live, as server-sent events',
  description:
    'Once a second an event `sample`, whose data is a sample as in /v1/history, and an event `state`, whose data is how ' +
    'shards, workers, log and snapshot stand; a `state` at once.',
  tags: ['live'],
  response: { 200: { content: { 'text/event-stream': { schema: { type: 'string' } } } } },
};

export function createLiveHub(feed: LiveFeed): LiveHub {
  return { feed, listeners: new Set() };
}

/** Makes the events of this second and sends them to whoever listens. */
export function tellListeners({ feed, listeners }: LiveHub): void {
  if (listeners.size === 0) return;
  const sample = feed.sample();
  const text = (sample === undefined ? '' : eventText('sample', sample)) + eventText('state', feed.state());
  const bytes = Buffer.from(text);
  const nowMs = feed.monotonicMs();
  for (const listener of listeners) tell(listener, bytes, nowMs);
}

export function routeLive(app: FastifyInstance, sources: AdminSources): void {
  const { live } = sources;
  if (live === undefined) return;
  const { hub } = live;
  const own = new Set<Listener>();
  app.addHook('preClose', async () => {
    for (const { reply } of own) reply.sse.close();
  });
  void app.register(fastifySSE);
  void app.register(async (scope) => {
    const sse = { kind: 'only', heartbeat: false } as const;
    scope.get(
      '/v1/live',
      { schema: SCHEMA, config: { command: PAGE_COMMAND }, sse, exposeHeadRoute: false },
      async (request, reply) => {
        if (hub.listeners.size >= LIVE_LISTENERS_MAX)
          return sendProblem(reply, 503, `${LIVE_LISTENERS_MAX} pages listen already`);
        const isWelcome = () => isLetIn(sources, request.raw);
        const listener: Listener = { reply, isWelcome, behindSinceMs: undefined };
        hub.listeners.add(listener);
        own.add(listener);
        reply.sse.onClose(() => {
          hub.listeners.delete(listener);
          own.delete(listener);
        });
        reply.sse.keepAlive();
        reply.sse.sendHeaders();
        reply.raw.write(`retry: ${LIVE_RETRY_MS}\n\n${eventText('state', hub.feed.state())}`);
        return undefined;
      },
    );
  });
}

function isLetIn(sources: AdminSources, request: IncomingMessage): boolean {
  const admitted = admitRequest(sources, request);
  return !('status' in admitted) && pageRefusal(admitted, PAGE_COMMAND) === undefined;
}

function tell(listener: Listener, bytes: Buffer, nowMs: number): void {
  const { raw } = listener.reply;
  if (!listener.isWelcome()) {
    raw.destroy();
    return;
  }
  if (raw.writableLength === 0) {
    listener.behindSinceMs = undefined;
    raw.write(bytes);
    return;
  }
  listener.behindSinceMs ??= nowMs;
  if (nowMs - listener.behindSinceMs >= LIVE_BEHIND_MS_MAX) raw.destroy();
}

/** JSON has no line ends of its own. */
function eventText(event: string, data: object): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
