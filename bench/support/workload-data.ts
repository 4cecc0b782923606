/** What the in-process cases work on: keys in one buffer, orders, and shards as the server makes them. */
import { systemClock } from '../../src/base/clock.ts';
import { nextRandom } from '../../src/base/random.ts';
import { fillSlotTable } from '../../src/routing/hash-ring.ts';
import { SLOT_COUNT } from '../../src/routing/slot.ts';
import { ALL_LRU } from '../../src/shard/policy.ts';
import {
  createShardBuffers,
  formatShard,
  openShard,
  type Shard,
  type ShardBuffers,
} from '../../src/shard/shard.ts';

/** Key `i` is `bytes[starts[i] .. starts[i + 1])`. */
export type Keys = { readonly bytes: Buffer; readonly starts: Uint32Array; readonly count: number };

const SEED = 20_260_101;
const SHARD_DEFAULTS = {
  policy: ALL_LRU,
  keysMax: 0,
  databases: 16,
  lfuLogFactor: 10,
  lfuDecayMinutes: 1,
  holdSampling: 64,
};

export function createKeys(count: number, textOf: (index: number) => string): Keys {
  const texts = Array.from({ length: count }, (_, index) => textOf(index));
  const starts = new Uint32Array(count + 1);
  texts.forEach((text, index) => {
    starts[index + 1] = starts[index] + text.length;
  });
  return { bytes: Buffer.from(texts.join(''), 'latin1'), starts, count };
}

/** Eight bytes: `k` and seven digits. */
export function shortKeys(count: number): Keys {
  return createKeys(count, (index) => `k${String(index).padStart(7, '0')}`);
}

/** The numbers below `count` in an order that is random and the same every time (Fisher and Yates). */
export function shuffledOrder(count: number): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, index) => index);
  let state = SEED;
  for (let last = count - 1; last > 0; last -= 1) {
    state = nextRandom(state);
    const other = (state >>> 0) % (last + 1);
    [order[last], order[other]] = [order[other], order[last]];
  }
  return order;
}

/** The memory of empty shards, each of `bytes`. */
export function createBenchShards(count: number, bytes: number): ShardBuffers[] {
  return Array.from({ length: count }, (_, index) => {
    const nowMs = systemClock.wallMs();
    const buffers = createShardBuffers({
      ...SHARD_DEFAULTS,
      capacityBytes: bytes,
      limitBytes: bytes,
      hashKey: [7, 77],
      seed: SEED + index,
      nowMs,
    });
    formatShard(openShard(buffers, index, 1, systemClock), nowMs);
    return buffers;
  });
}

/** One empty shard, as the calling thread sees it. */
export function createBenchShard(bytes: number): Shard {
  return openShard(createBenchShards(1, bytes)[0], 0, 1, systemClock);
}

/** The slot table that the hash ring makes for so many shards, in shared memory. */
export function createBenchSlotTable(shards: number): Uint16Array {
  const table = new Uint16Array(new SharedArrayBuffer(SLOT_COUNT * Uint16Array.BYTES_PER_ELEMENT));
  fillSlotTable(
    Array.from({ length: shards }, (_, index) => ({ id: `shard-${index}` })),
    table,
  );
  return table;
}
