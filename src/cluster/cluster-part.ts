/**
 * The server's part in a cluster, where it has one: the code for it is loaded on nodes of a cluster only. Main thread.
 */
import { networkInterfaces } from 'node:os';
import { type Clock, sharedMs } from '../base/clock.ts';
import type { Engine } from '../commands/engine.ts';
import type { Config } from '../config/config.ts';
import type { Storage } from '../durability/storage-types.ts';
import type { Bus } from '../threads/bus.ts';
import type { Log } from '../threads/log.ts';
import type { Check } from '../threads/readiness.ts';
import type { OwnNode } from './own-node.ts';

export type ClusterPart = { readonly node: OwnNode; readonly code: typeof import('./own-node.ts') };

type ClusterPartOptions = {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Log;
  readonly bus: Bus;
  readonly engine: Engine;
  /** The server's folder is the current one. */
  readonly storage: Storage;
  readonly runId: string;
};

/** Undefined on a server that is alone. Throws a StartError where the configuration does not do for a cluster. */
export async function prepareCluster(options: ClusterPartOptions): Promise<ClusterPart | undefined> {
  const { engine, clock } = options;
  const { cluster: view } = engine;
  if (view === undefined) return undefined;
  const code = await import('./own-node.ts');
  const startedAtMs = clock.wallMs();
  const interfaces = networkInterfaces();
  const node = code.createOwnNode({ ...options, view, interfaces, startedAtMs, sharedMs });
  return { node, code };
}

/** When clients can come: begins to join, and returns what leaves again within so many ms. */
export function startCluster(part: ClusterPart | undefined): (leftMs: number) => Promise<void> | undefined {
  if (part === undefined) return () => undefined;
  const { node, code } = part;
  code.startOwnNode(node);
  return (leftMs) => code.stopOwnNode(node, leftMs);
}

export function checkCluster(part: ClusterPart | undefined): Check {
  if (part === undefined) return { name: 'cluster', ok: true, reason: '', detail: 'not configured' };
  const { node, code } = part;
  return code.checkOwnNode(node);
}
