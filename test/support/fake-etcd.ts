/**
 * An etcd of one's own: the JSON gateway over HTTP on a free port, with a store in memory, which fails as a test asks it to.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  addLease,
  applyOps,
  createFakeStore,
  endLease,
  eventsFrom,
  type FakeStore,
  headerOf,
  holds,
  rangeOf,
} from './fake-etcd-store.ts';

/**
 * What a request meets instead of an answer: none at all; a connection that breaks, before or after the request was carried out; a
 * server in trouble; half an answer; something that is no answer; and the head of one without a body.
 */
export type Fault = 'hang' | 'break' | 'break after' | 'trouble' | 'half' | 'nonsense' | 'mute';

export type FakeEtcd = {
  readonly url: string;
  readonly store: FakeStore;
  /** The paths of the requests so far, without `/v3`. */
  readonly paths: string[];
  /** Consumed one by one, by requests whose path it is. */
  readonly faults: [path: string, fault: Fault][];
  /** Every request meets it, while it is set. */
  outage: Fault | undefined;
  /** The user that has to log in, where one has. */
  user: { readonly name: string; readonly password: string; token: string } | undefined;
  /** Called when a request has come, before anything is done about it. */
  onRequest: (path: string) => void;
  /** Called when it has been carried out; the answer leaves when what it returns has resolved. */
  beforeAnswer: (path: string) => Promise<void> | void;
  /** How long leases are said to last. */
  ttlSeconds: number;
  readonly watches: Set<ServerResponse>;
  put(key: string, value: string, lease?: string): void;
  remove(key: string): void;
  get(key: string): string | undefined;
  /** Ends the lease that the key hangs on. */
  expire(key: string): void;
  compact(revision: number): void;
  /** Breaks the streams of all watches. */
  breakWatches(): void;
  close(): Promise<void>;
};

type Body = Readonly<Record<string, unknown>>;
type Watch = { readonly response: ServerResponse; readonly range: Body; next: number };
type World = FakeEtcd & { readonly open: Set<Watch> };

const NOT_FOUND = 5;
const FAILED_PRECONDITION = 9;
const UNAUTHENTICATED = 16;
const INVALID_TOKEN = 'etcdserver: invalid auth token';

export async function startFakeEtcd(): Promise<FakeEtcd> {
  const store = createFakeStore();
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const etcd = createWorld(store, server, url);
  store.onChange = () => {
    for (const watch of etcd.open) feed(etcd, watch);
  };
  server.on('request', (request, response) => void answer(etcd, request, response));
  return etcd;
}

function createWorld(store: FakeStore, server: Server, url: string): World {
  const keyOf = (key: string) => Buffer.from(key).toString('base64');
  return {
    ...{ url, store, paths: [], faults: [], outage: undefined, user: undefined, ttlSeconds: 3 },
    onRequest: () => undefined,
    beforeAnswer: () => undefined,
    watches: new Set(),
    open: new Set(),
    put: (key, value, lease) =>
      void applyOps(store, [{ request_put: { key: keyOf(key), value: keyOf(value), lease } }]),
    remove: (key) => void applyOps(store, [{ request_delete_range: { key: keyOf(key) } }]),
    get: (key) => {
      const value = store.values.get(keyOf(key))?.value;
      return value === undefined ? undefined : Buffer.from(value, 'base64').toString();
    },
    expire: (key) => endLease(store, store.values.get(keyOf(key))?.lease ?? ''),
    compact: (revision) => {
      store.compacted = revision;
    },
    breakWatches() {
      for (const response of this.watches) response.destroy();
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(etcd: World, request: IncomingMessage, response: ServerResponse): Promise<void> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  const path = (request.url ?? '').replace('/v3', '');
  etcd.paths.push(path);
  etcd.onRequest(path);
  const fault = etcd.outage ?? takeFault(etcd, path);
  if (fault === 'hang') return;
  if (fault === 'break') return void response.destroy();
  if (fault === 'trouble') {
    return fail(response, 503, 14, 'etcdserver: leader changed');
  }
  if (fault === 'mute') return response.flushHeaders();
  if (fault === 'nonsense') return void response.end('<html>It works!</html>');
  const { user } = etcd;
  if (user !== undefined && path !== '/auth/authenticate' && request.headers.authorization !== user.token) {
    return refuseToken(path, response);
  }
  const body = JSON.parse(text) as Body;
  if (path === '/watch') return openWatch(etcd, body, response);
  const reply = replyTo(etcd, path, body, response);
  if (reply === undefined) return;
  await etcd.beforeAnswer(path);
  if (fault === 'break after') return void response.destroy();
  const json = JSON.stringify(reply);
  if (fault !== 'half') return void response.end(json);
  response.setHeader('Content-Length', json.length);
  response.write(json.slice(0, json.length >> 1), () => response.destroy());
}

/** A stream is opened all the same, and ended in its first line. */
function refuseToken(path: string, response: ServerResponse): void {
  if (path !== '/watch') {
    fail(response, 401, UNAUTHENTICATED, INVALID_TOKEN);
    return;
  }
  const cancel_reason = `rpc error: code = Unauthenticated desc = ${INVALID_TOKEN}`;
  writeLine(response, { result: { watch_id: '-1', created: true, canceled: true, cancel_reason } });
  response.end();
}

function takeFault({ faults }: FakeEtcd, path: string): Fault | undefined {
  const at = faults.findIndex(([faulty]) => faulty === path);
  return at === -1 ? undefined : faults.splice(at, 1)[0][1];
}

/** Undefined: an error was answered. */
function replyTo(etcd: World, path: string, body: Body, response: ServerResponse): Body | undefined {
  const { store } = etcd;
  switch (path) {
    case '/kv/range':
      return rangeOf(store, body);
    case '/kv/txn':
      return transact(etcd, body, response);
    case '/lease/grant':
      return { header: headerOf(store), ID: addLease(store), TTL: `${etcd.ttlSeconds}` };
    case '/lease/keepalive':
      return {
        result: {
          ID: body.ID,
          ...(store.leases.has(body.ID as string) ? { TTL: `${etcd.ttlSeconds}` } : {}),
        },
      };
    case '/lease/revoke':
      if (!store.leases.has(body.ID as string)) {
        return void fail(response, 404, NOT_FOUND, 'etcdserver: requested lease not found');
      }
      endLease(store, body.ID as string);
      return { header: headerOf(store) };
    case '/auth/authenticate':
      return authenticate(etcd, body, response);
    default:
      return void fail(response, 404, NOT_FOUND, 'Not Found');
  }
}

function transact({ store }: World, body: Body, response: ServerResponse): Body | undefined {
  const succeeded = (body.compare as Body[]).every((compare) => holds(store, compare));
  const ops = body[succeeded ? 'success' : 'failure'] as Body[];
  const leases = ops.flatMap((op) => (op.request_put as Body | undefined)?.lease ?? []) as string[];
  if (leases.some((lease) => !store.leases.has(lease))) {
    return void fail(response, 404, NOT_FOUND, 'etcdserver: requested lease not found');
  }
  const responses = applyOps(store, ops);
  return { header: headerOf(store), ...(succeeded ? { succeeded } : {}), responses };
}

function authenticate({ user }: World, { name, password }: Body, response: ServerResponse): Body | undefined {
  if (user === undefined) {
    return void fail(response, 412, FAILED_PRECONDITION, 'etcdserver: authentication is not enabled');
  }
  if (name === user.name && password === user.password) return { token: user.token };
  return void fail(response, 400, 3, 'etcdserver: authentication failed, invalid user ID or password');
}

function openWatch(etcd: World, body: Body, response: ServerResponse): void {
  const range = body.create_request as Body;
  const watch: Watch = { response, range, next: Number(range.start_revision) };
  etcd.watches.add(response);
  response.on('close', () => {
    etcd.watches.delete(response);
    etcd.open.delete(watch);
  });
  writeLine(response, { result: { header: headerOf(etcd.store), created: true } });
  if (watch.next <= etcd.store.compacted) {
    const compact_revision = `${etcd.store.compacted}`;
    writeLine(response, { result: { header: {}, canceled: true, compact_revision } });
    response.end();
    return;
  }
  etcd.open.add(watch);
  feed(etcd, watch);
}

function feed({ store }: World, watch: Watch): void {
  for (const events of eventsFrom(store, watch.next, watch.range)) {
    writeLine(watch.response, { result: { header: headerOf(store), events } });
  }
  watch.next = store.revision + 1;
}

function writeLine(response: ServerResponse, line: Body): void {
  response.write(`${JSON.stringify(line)}\n`);
}

/** With trailers behind the body, as etcd 3.4 writes them there. */
function fail(response: ServerResponse, status: number, code: number, message: string): void {
  response.statusCode = status;
  response.end(
    `${JSON.stringify({ error: message, message, code })}Grpc-Trailer-Content-Type: application/grpc\r\n`,
  );
}
