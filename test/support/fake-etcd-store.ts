/**
 * Keys, leases and their history as etcd keeps them, in memory: what the fake gateway (fake-etcd.ts) answers from. Keys and values are
 * in base64, as they travel. Leases end when a test says so.
 */

type StoredValue = {
  readonly key: string;
  readonly value: string;
  readonly create_revision: string;
  readonly mod_revision: string;
  readonly lease?: string;
};

export type StoredEvent = { readonly type?: 'DELETE'; readonly kv: Partial<StoredValue> };

export type FakeStore = {
  readonly values: Map<string, StoredValue>;
  readonly leases: Set<string>;
  /** One list for each revision from 2 on. */
  readonly history: StoredEvent[][];
  revision: number;
  compacted: number;
  nextLease: number;
  onChange: () => void;
};

type Body = Readonly<Record<string, unknown>>;

/** Beyond 2^53, as real ones are. */
const LEASE_PREFIX = '7587885345';

export function createFakeStore(): FakeStore {
  return {
    values: new Map(),
    leases: new Set(),
    history: [],
    revision: 1,
    compacted: 0,
    nextLease: 100_000_000,
    onChange: () => undefined,
  };
}

/** Carries out what a transaction may hold, as one revision; returns the responses. */
export function applyOps(store: FakeStore, ops: readonly Body[]): Body[] {
  const events: StoredEvent[] = [];
  const responses = ops.map((op) => applyOp(store, op, events));
  note(store, events);
  return responses;
}

export function rangeOf(store: FakeStore, { key, range_end }: Body): Body {
  const kvs = [...store.values.values()]
    .filter((value) => isWithin(value.key, key as string, range_end as string | undefined))
    .sort((a, b) => (decode(a.key) < decode(b.key) ? -1 : 1));
  // As etcd does: what is empty or 0 is left out.
  return { header: headerOf(store), ...(kvs.length === 0 ? {} : { kvs, count: `${kvs.length}` }) };
}

export function holds(store: FakeStore, compare: Body): boolean {
  const value = store.values.get(compare.key as string);
  if (compare.target === 'CREATE') return (value?.create_revision ?? '0') === compare.create_revision;
  if (compare.target === 'MOD') return (value?.mod_revision ?? '0') === compare.mod_revision;
  return value !== undefined && value.value === compare.value;
}

export function headerOf({ revision }: FakeStore): Body {
  return { cluster_id: '1', member_id: '2', revision: `${revision}`, raft_term: '2' };
}

export function addLease(store: FakeStore): string {
  const id = `${LEASE_PREFIX}${store.nextLease}`;
  store.nextLease += 1;
  store.leases.add(id);
  return id;
}

/** Its keys go with it, in one revision. */
export function endLease(store: FakeStore, id: string): void {
  store.leases.delete(id);
  const keys = [...store.values.values()].filter(({ lease }) => lease === id).map(({ key }) => key);
  applyOps(
    store,
    keys.map((key) => ({ request_delete_range: { key } })),
  );
}

/** What happened to keys of the range from a revision on, one list for each revision. */
export function eventsFrom(store: FakeStore, from: number, { key, range_end }: Body): StoredEvent[][] {
  return store.history
    .slice(Math.max(0, from - 2))
    .map((events) =>
      events.filter(({ kv }) => isWithin(kv.key ?? '', key as string, range_end as string | undefined)),
    )
    .filter((events) => events.length > 0);
}

function applyOp(store: FakeStore, op: Body, events: StoredEvent[]): Body {
  if (op.request_put !== undefined) return putValue(store, op.request_put as Body, events);
  if (op.request_delete_range !== undefined) {
    const { key } = op.request_delete_range as { key: string };
    if (store.values.delete(key)) {
      events.push({ type: 'DELETE', kv: { key, mod_revision: `${store.revision + 1}` } });
    }
    return { response_delete_range: {} };
  }
  return { response_range: rangeOf(store, op.request_range as Body) };
}

function putValue(store: FakeStore, body: Body, events: StoredEvent[]): Body {
  const { key, value, lease } = body as { key: string; value: string; lease?: string };
  const revision = `${store.revision + 1}`;
  const kv = {
    key,
    value,
    create_revision: store.values.get(key)?.create_revision ?? revision,
    mod_revision: revision,
    ...(lease === undefined ? {} : { lease }),
  };
  store.values.set(key, kv);
  events.push({ kv });
  return { response_put: { header: { revision } } };
}

function note(store: FakeStore, events: StoredEvent[]): void {
  if (events.length === 0) return;
  store.revision += 1;
  store.history.push(events);
  store.onChange();
}

function isWithin(key: string, from: string, end: string | undefined): boolean {
  if (end === undefined) return key === from;
  return decode(key) >= decode(from) && decode(key) < decode(end);
}

function decode(text: string): string {
  return Buffer.from(text, 'base64').toString();
}
