/**
 * The route of the hash ring: which shard has which of the slots. Main thread.
 */
import type { FastifyInstance } from 'fastify';
import { SLOT_COUNT } from '../routing/slot.ts';
import { arraySchema, INTEGER, NUMBER, objectSchema } from './json-schema.ts';
import { slotsByShard } from './live-state.ts';
import type { AdminSources } from './sources.ts';

export type Ring = {
  readonly slots: number;
  readonly owners: readonly { readonly shard: number; readonly slots: number; readonly share: number }[];
  /** Slots that follow each other and have one shard; all of them in ascending order, no two of one shard adjacent. */
  readonly ranges: readonly SlotRange[];
};

type SlotRange = [firstSlot: number, lastSlot: number, shard: number];

export function routeRing(app: FastifyInstance, { live }: AdminSources): void {
  if (live === undefined) return;
  const { engine } = live;
  const schema = {
    summary: 'Which shard has which slots',
    tags: ['live'],
    response: {
      200: objectSchema({
        slots: INTEGER,
        owners: arraySchema(objectSchema({ shard: INTEGER, slots: INTEGER, share: NUMBER })),
        ranges: arraySchema(arraySchema(INTEGER), 'First slot, last slot, shard.'),
      }),
    },
  };
  app.get('/v1/ring', { schema, config: { command: 'info' } }, () =>
    ringOfSlots(engine.slotShard, slotsByShard(engine)),
  );
}

/** The ring by the shard of each slot and the slots of each shard. */
export function ringOfSlots(slotShard: Uint16Array, shardSlots: readonly number[]): Ring {
  const ranges: SlotRange[] = [];
  slotShard.forEach((shard, slot) => {
    const last = ranges.at(-1);
    if (last !== undefined && last[2] === shard) last[1] = slot;
    else ranges.push([slot, slot, shard]);
  });
  const owners = shardSlots.map((slots, shard) => ({ shard, slots, share: slots / SLOT_COUNT }));
  return { slots: SLOT_COUNT, owners, ranges };
}
