/** One thread of the concurrent case: waits for a round, does its share of the operations, says so. */
import { workerData } from 'node:worker_threads';
import { systemClock } from '../../src/base/clock.ts';
import { nextRandom } from '../../src/base/random.ts';
import { createReplyWriter } from '../../src/resp/reply-writer.ts';
import { openShard } from '../../src/shard/shard.ts';
import { type Deck, deleteKey, getKey, setKey } from './cache-operations.ts';
import {
  CONCURRENT_KEYS,
  CONCURRENT_OPERATIONS,
  CONCURRENT_THREADS,
  type ConcurrentBoot,
  FINISHED,
  ROUND,
  ROUND_LAST,
} from './concurrent-memory.ts';
import { shortKeys } from './workload-data.ts';

const SHARE = CONCURRENT_OPERATIONS / CONCURRENT_THREADS;
const VALUE = Buffer.from('value-0123');

const boot = workerData as ConcurrentBoot;
// Thread id 1 is the main thread's.
const threadId = boot.threadIndex + 2;
const deck: Deck = {
  shards: boot.shards.map((buffers, index) => openShard(buffers, index, threadId, systemClock)),
  slotShard: boot.slotShard,
};
const keys = shortKeys(CONCURRENT_KEYS);
const reply = createReplyWriter(1024);
const signal = new Int32Array(boot.signal);
let randomState = threadId;

let round = 0;
for (;;) {
  Atomics.wait(signal, ROUND, round);
  round = Atomics.load(signal, ROUND);
  if (round === ROUND_LAST) break;
  runShare();
  Atomics.add(signal, FINISHED, 1);
  Atomics.notify(signal, FINISHED);
}

function runShare(): void {
  const { bytes, starts } = keys;
  const nowMs = systemClock.wallMs();
  for (let i = 0; i < SHARE; i += 1) {
    randomState = nextRandom(randomState);
    const key = (randomState >>> 0) % CONCURRENT_KEYS;
    const start = starts[key];
    const end = starts[key + 1];
    reply.length = 0;
    if (i % 3 === 0) setKey(deck, bytes, start, end, VALUE, nowMs);
    else if (i % 3 === 1) getKey(deck, bytes, start, end, reply, nowMs);
    else deleteKey(deck, bytes, start, end, nowMs);
  }
}
