/** A thread for the tests of the journal: it sets key after key, numbered, each under the shard's lock. */
import { Buffer } from 'node:buffer';
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../../src/base/clock.ts';
import { putString } from '../../src/shard/keyspace.ts';
import { acquireShard, releaseShard } from '../../src/shard/lock.ts';
import { openShard, type ShardBuffers } from '../../src/shard/shard.ts';

/** What the thread is to do. */
export type JournalErrand = {
  readonly buffers: ShardBuffers;
  readonly threadId: number;
  readonly keys: number;
};

const NOW_MS = 1;

const errand = workerData as JournalErrand;
const shard = openShard(errand.buffers, 0, errand.threadId, systemClock);
for (let count = 0; count < errand.keys; count += 1) {
  const key = Buffer.from(`${errand.threadId}:${count}`);
  acquireShard(shard);
  putString(shard, 0, key, 0, key.length, key, 0, key.length, 0, NOW_MS);
  releaseShard(shard);
}
parentPort?.postMessage('done');
