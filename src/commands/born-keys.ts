/**
 * The telling of collections that were made to the homes of those who wait for them (blocking-state.ts).
 *
 * Runs on every thread that executes commands, under no lock. While nobody waits nothing is told.
 */
import { spanText } from '../base/bytes.ts';
import { slotOfKey } from '../routing/slot.ts';
import { WAITERS } from '../shard/layout.ts';
import { homeOfShard, queueName, TOPIC_BORN, TOPIC_LOOK, tellThread } from './blocking-state.ts';
import type { Engine } from './engine.ts';

/** A collection was made under the key `bytes[start, end)`, for which somebody may wait: its home is to look. */
export function tellBirth(
  engine: Engine,
  database: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): void {
  const shard = engine.slotShard[slotOfKey(bytes, start, end)];
  const name = queueName(shard, database, spanText(bytes, start, end));
  tellThread(engine, homeOfShard(engine, shard), TOPIC_BORN, name);
}

/** Any key may be there that was not: all homes are to look, if anybody waits. */
export function tellAnyBirth(engine: Engine): void {
  if (engine.shards.every(({ control }) => control[WAITERS] === 0)) return;
  engine.bus.publish(TOPIC_LOOK, undefined);
  tellThread(engine, engine.threadId, TOPIC_LOOK, undefined);
}
