/** A node of a cluster in one thread, whose table of nodes is filled by hand, and what it says of commands of other nodes. */
import type { Call, Command } from '../../src/commands/call.ts';
import type { ClusterView, Forwarder } from '../../src/commands/cluster-view.ts';
import type { Transaction } from '../../src/commands/transaction-queue.ts';
import { TURNS } from '../../src/metrics/names.ts';
import { slotOfKey } from '../../src/routing/slot.ts';
import { type ClusterTableOptions, clusterTable } from './cluster-table.ts';
import { createHarness, type Harness, type HarnessOptions } from './harness.ts';

export const OWN = 0;
export const OTHER = 1;
export const THIRD = 2;

export const slotOf = (key: string) => slotOfKey(Buffer.from(key), 0, key.length);

/** Every slot is ours, but for those of these keys. */
export function ownersBut(keys: Readonly<Record<string, number>>): (slot: number) => number {
  const owners = new Map(Object.entries(keys).map(([key, node]) => [slotOf(key), node]));
  return (slot) => owners.get(slot) ?? OWN;
}

export type World = { readonly harness: Harness; readonly cluster: ClusterView };

export function openWorld(
  table: ClusterTableOptions,
  flags: string[] = [],
  more: HarnessOptions = {},
): World {
  const cluster = clusterTable(table);
  return { harness: createHarness({ flags, cluster, ...more }), cluster };
}

export function redirecting(table: ClusterTableOptions, ...flags: string[]): World {
  return openWorld(table, ['--cluster-routing', 'redirect', ...flags]);
}

/** A forwarder that writes down what it is given. */
export function recordForwards(cluster: ClusterView, { reaches = true, transactions = true } = {}): string[] {
  const done: string[] = [];
  const wordsOf = ({ input, spans, count }: Call) =>
    Array.from({ length: count }, (_, i) => input.toString('latin1', spans[2 * i], spans[2 * i + 1])).join(
      ' ',
    );
  const forwarder: Forwarder = {
    forward: (call, _command, node, isAsking) =>
      void done.push(`${isAsking ? 'asking ' : ''}${node}: ${wordsOf(call)}`),
    canScatter: ({ spec }: Command) => ['mget', 'del', 'dbsize'].includes(spec.name),
    scatter: (call) => void done.push(`all: ${wordsOf(call)}`),
    transaction: transactions
      ? (_call: Call, { commands }: Transaction, node: number) =>
          void done.push(`${node}: ${commands.map(({ spec }) => spec.name).join(' ')}`)
      : undefined,
    links: () => [],
    reaches: () => reaches,
    publish: () => undefined,
    countReplicas: () => undefined,
  };
  cluster.forwarder = forwarder;
  return done;
}

/** The next turn, in which the lease is looked at anew. */
export function nextTurn({ engine }: Harness): void {
  engine.counters[TURNS] += 1;
}

export const moved = (key: string, node: number) => `-MOVED ${slotOf(key)} 127.0.0.1:${7000 + node}\r\n`;
export const NOT_SERVED = '-CLUSTERDOWN Hash slot not served\r\n';
export const DOWN = '-CLUSTERDOWN The cluster is down\r\n';
export const CROSS_SLOT = "-CROSSSLOT Keys in request don't hash to the same slot\r\n";
