/**
 * What the cluster asks of etcd: keys under a prefix, transactions, leases. Keys and values are strings, revisions numbers.
 *
 * Main thread. Everything rejects with an EtcdError (base/errors.ts). etcd leaves fields out that are 0, false or empty, and
 * writes 64-bit integers as strings; ids of leases use all 63 bits and stay strings.
 * Source: etcd's API reference (rpc.proto), versions 3.4 to 3.6.
 */
import { Buffer } from 'node:buffer';
import { callEtcd, type Etcd } from './etcd-gateway.ts';

export type EtcdValue = {
  readonly key: string;
  readonly value: string;
  /** The revision at which the key was last written; it is greater than those of all earlier writes of any key. */
  readonly modRevision: number;
  readonly createRevision: number;
  /** '' without one. */
  readonly lease: string;
};

/** A condition of a transaction: all of them hold, or it does the other thing. */
export type EtcdCompare =
  /** `createRevision` 0: there is no such key. */
  | { readonly key: string; readonly createRevision: number }
  | { readonly key: string; readonly modRevision: number }
  | { readonly key: string; readonly value: string };

/** One thing that a transaction does. `getPrefix` sees what stands before it in the same transaction. */
type EtcdOp =
  | { readonly put: string; readonly value: string; readonly lease?: string }
  | { readonly remove: string }
  | { readonly get: string }
  | { readonly getPrefix: string };

export type EtcdTransaction = {
  readonly compare: readonly EtcdCompare[];
  readonly success: readonly EtcdOp[];
  readonly failure?: readonly EtcdOp[];
};

export type EtcdCommitted = {
  readonly succeeded: boolean;
  /** etcd's revision behind it, which is the modRevision of what it put. */
  readonly revision: number;
  /** What its gets found, one list for each, in their order. */
  readonly found: readonly (readonly EtcdValue[])[];
};

/** How etcd writes a key with its value. */
export type WireValue = {
  readonly key?: string;
  readonly value?: string;
  readonly mod_revision?: string;
  readonly create_revision?: string;
  readonly lease?: string;
};
type WireHeader = { readonly revision?: string };
type WireRange = { readonly header?: WireHeader; readonly kvs?: readonly WireValue[] };
type WireTransaction = {
  readonly header?: WireHeader;
  readonly succeeded?: boolean;
  readonly responses?: readonly { readonly response_range?: WireRange }[];
};
type WireLease = { readonly ID?: string; readonly TTL?: string };

/** All keys that begin with `prefix`, as they are now for everybody (a linearizable read). */
export async function getPrefix(
  etcd: Etcd,
  prefix: string,
  signal?: AbortSignal,
): Promise<{ readonly values: readonly EtcdValue[]; readonly revision: number }> {
  const body = { key: toBase64(prefix), range_end: toBase64(afterPrefix(prefix)) };
  const range: WireRange = await callEtcd(etcd, '/v3/kv/range', body, { isRepeatable: true, signal });
  return { values: (range.kvs ?? []).map(readValue), revision: wireNumber(range.header?.revision) };
}

/**
 * Carries a transaction out. It is not tried again once it may have arrived: an error whose outcome is 'unknown' means that it may
 * have been carried out, or still be.
 */
export async function commit(etcd: Etcd, transaction: EtcdTransaction): Promise<EtcdCommitted> {
  const { compare, success, failure = [] } = transaction;
  const body = {
    compare: compare.map(writeCompare),
    success: success.map(writeOp),
    failure: failure.map(writeOp),
  };
  const answer: WireTransaction = await callEtcd(etcd, '/v3/kv/txn', body, { isRepeatable: false });
  const ranges = (answer.responses ?? []).flatMap(({ response_range }) => response_range ?? []);
  return {
    succeeded: answer.succeeded === true,
    revision: wireNumber(answer.header?.revision),
    found: ranges.map(({ kvs }) => (kvs ?? []).map(readValue)),
  };
}

/** Resolves to the lease's id and how long it lasts, which may be longer than what was asked for. */
export async function grantLease(
  etcd: Etcd,
  ttlSeconds: number,
  onSend?: () => void,
): Promise<{ readonly id: string; readonly ttlSeconds: number }> {
  // A lease that was granted without our hearing of it ends by itself.
  const answer: WireLease = await callEtcd(
    etcd,
    '/v3/lease/grant',
    { TTL: `${ttlSeconds}` },
    { isRepeatable: true, onSend },
  );
  return { id: answer.ID ?? '', ttlSeconds: wireNumber(answer.TTL) };
}

/** Lets a lease last for its whole time again, and resolves to that time in seconds; 0: it is gone. `onSend` is called before each try. */
export async function keepAlive(
  etcd: Etcd,
  lease: string,
  tryMsMax: number,
  onSend?: () => void,
): Promise<number> {
  const request = { isRepeatable: true, tryMsMax, onSend };
  const answer = await callEtcd(etcd, '/v3/lease/keepalive', { ID: lease }, request);
  return wireNumber((answer.result as WireLease | undefined)?.TTL);
}

/** Ends a lease, and with it the keys that hang on it. */
export async function revokeLease(etcd: Etcd, lease: string): Promise<void> {
  await callEtcd(etcd, '/v3/lease/revoke', { ID: lease }, { isRepeatable: true });
}

export function readValue(wire: WireValue): EtcdValue {
  return {
    key: fromBase64(wire.key ?? ''),
    value: fromBase64(wire.value ?? ''),
    modRevision: wireNumber(wire.mod_revision),
    createRevision: wireNumber(wire.create_revision),
    lease: wire.lease ?? '',
  };
}

/** The least key behind all that begin with `prefix`, whose last character is ASCII. */
export function afterPrefix(prefix: string): string {
  return prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);
}

/** Revisions stay far below 2^53. */
export function wireNumber(text: string | undefined): number {
  return text === undefined ? 0 : Number(text);
}

function writeCompare(compare: EtcdCompare): Record<string, string> {
  const head = { key: toBase64(compare.key), result: 'EQUAL' };
  if ('createRevision' in compare) {
    return { ...head, target: 'CREATE', create_revision: `${compare.createRevision}` };
  }
  if ('modRevision' in compare) return { ...head, target: 'MOD', mod_revision: `${compare.modRevision}` };
  return { ...head, target: 'VALUE', value: toBase64(compare.value) };
}

function writeOp(op: EtcdOp): Record<string, Record<string, string>> {
  if ('put' in op) {
    const put = { key: toBase64(op.put), value: toBase64(op.value) };
    return { request_put: op.lease === undefined ? put : { ...put, lease: op.lease } };
  }
  if ('remove' in op) return { request_delete_range: { key: toBase64(op.remove) } };
  if ('get' in op) return { request_range: { key: toBase64(op.get) } };
  return {
    request_range: { key: toBase64(op.getPrefix), range_end: toBase64(afterPrefix(op.getPrefix)) },
  };
}

/** Keys and values travel in base64. */
export function toBase64(text: string): string {
  return Buffer.from(text).toString('base64');
}

function fromBase64(text: string): string {
  return Buffer.from(text, 'base64').toString();
}
