/**
 * Which keys of this node the commands over a whole database see: on a node of a cluster those of the slots that it owns.
 *
 * Runs on the thread of the connection. Owns no state. Roles are bits of routing/node-table.ts; ALL_KEYS stands for a node that is alone.
 */
import { ROLE_OWNER, ROLE_REPLICA } from '../routing/node-table.ts';
import { SLOT_COUNT } from '../routing/slot.ts';
import { keyCount } from '../shard/databases.ts';
import type { Shard } from '../shard/shard.ts';
import type { Call } from './call.ts';
import type { Engine } from './engine.ts';

export const ALL_KEYS = 0;

/**
 * The roles whose slots the client sees. One that reads replicas (READONLY) sees what is in those as well, unless its commands are
 * passed on: their owners are asked then.
 */
export function rolesSeen({ engine, session }: Call): number {
  if (engine.cluster === undefined) return ALL_KEYS;
  return session.isReadOnly && engine.config.clusterRouting === 'redirect'
    ? ROLE_OWNER | ROLE_REPLICA
    : ROLE_OWNER;
}

/** Keys of the database that are seen. With the locks of all shards they are those of one moment. Some 30 us on a node of a cluster. */
export function countSeen(engine: Engine, database: number, roles: number): number {
  let keys = 0;
  if (roles === ALL_KEYS) for (const shard of engine.shards) keys += keyCount(shard, database);
  else for (let slot = 0; slot < SLOT_COUNT; slot += 1) keys += seenInSlot(engine, slot, roles);
  return keys;
}

/** The shard of the key number `rank` (from 0) of those that are seen, in the order of their slots; undefined beyond the last. */
export function shardOfSeen(engine: Engine, roles: number, rank: number): Shard | undefined {
  let left = rank;
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
    left -= seenInSlot(engine, slot, roles);
    if (left < 0) return engine.shards[engine.slotShard[slot]];
  }
  return undefined;
}

function seenInSlot(engine: Engine, slot: number, wanted: number): number {
  const roles = engine.cluster?.table.roles;
  return roles === undefined || (roles[slot] & wanted) === 0 ? 0 : countKeysInSlot(engine, slot);
}

/** Keys that this node has in a slot, whoever owns it; 0 on a node that is alone, which does not count them. */
export function countKeysInSlot({ shards, slotShard }: Engine, slot: number): number {
  return shards[slotShard[slot]].slotKeys?.[slot] ?? 0;
}
