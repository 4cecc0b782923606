/**
 * A thread for the tests of the lock: adds to one key of a shard under its lock, or stays inside until it is ended.
 *
 * `witness` is memory that only the lock guards: [0] the thread that is inside, [1] how often two were, [2] whether one stays.
 */
import { Buffer } from 'node:buffer';
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../../src/base/clock.ts';
import { acquireShard, releaseShard } from '../../src/shard/lock.ts';
import { openShard, type Shard, type ShardBuffers } from '../../src/shard/shard.ts';
import { addOne } from './lock-deeds.ts';

/** What the thread is to do. */
export type LockErrand = {
  readonly buffers: ShardBuffers;
  readonly threadId: number;
  readonly witness: Int32Array;
  readonly additions: number;
  readonly staysInside: boolean;
};

const errand = workerData as LockErrand;
const shard: Shard = openShard(errand.buffers, 0, errand.threadId, systemClock);
const { witness } = errand;

for (let count = 0; count < errand.additions; count += 1) {
  acquireShard(shard);
  if (witness[0] !== 0) witness[1] += 1;
  witness[0] = errand.threadId;
  addOne(shard, Buffer.from('total'));
  if (witness[0] !== errand.threadId) witness[1] += 1;
  witness[0] = 0;
  releaseShard(shard);
}
if (errand.staysInside) {
  acquireShard(shard);
  Atomics.store(witness, 2, 1);
  for (;;);
}
parentPort?.postMessage('done');
