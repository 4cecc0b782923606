/**
 * A thread for the tests of the log: changes shards that others change too, some alone and some as groups of two, and writes its
 * stream at the end of each of its turns, to real files.
 *
 * `witness`: [0] counts the threads that hang in their write for ever, as asked to; [1] those whose turn was held up.
 */
import { Buffer } from 'node:buffer';
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../../src/base/clock.ts';
import { nextRandom } from '../../src/base/random.ts';
import { openLogBoard } from '../../src/durability/log-board.ts';
import { createLogWriter } from '../../src/durability/log-stream.ts';
import { closeFiles, syncNow } from '../../src/durability/log-sync.ts';
import { logTurn } from '../../src/durability/log-writer.ts';
import { createDiskStorage } from '../../src/durability/storage.ts';
import { markGrouped } from '../../src/shard/journal.ts';
import { putString } from '../../src/shard/keyspace.ts';
import { acquireShard, releaseShard } from '../../src/shard/lock.ts';
import { openShard, type Shard, type ShardBuffers } from '../../src/shard/shard.ts';
import { openTestSegment, storageIn } from './log-world.ts';

/** What the thread is to do. */
export type LogErrand = {
  readonly shards: readonly ShardBuffers[];
  readonly board: SharedArrayBuffer;
  readonly streams: number;
  readonly stream: number;
  readonly threadId: number;
  readonly folder: string;
  readonly turns: number;
  readonly witness: Int32Array;
  /** The write that never ends, counted from 1 for the segment's header; 0 for none. */
  readonly hangsInWrite: number;
};

const NOW_MS = 1;
const errand = workerData as LogErrand;
const { stream, threadId, witness } = errand;
const shards = errand.shards.map((buffers, index) => openShard(buffers, index, threadId, systemClock));
const disk = storageIn(errand.folder, createDiskStorage());
let writes = 0;
const storage: typeof disk = {
  ...disk,
  write: (fd, bytes, start, end, position) => {
    writes += 1;
    if (writes === errand.hangsInWrite) {
      Atomics.add(witness, 0, 1);
      for (;;) Atomics.wait(witness, 2, 0);
    }
    disk.write(fd, bytes, start, end, position);
  },
};
const writer = createLogWriter({
  board: openLogBoard(errand.board, errand.streams),
  stream,
  threadId,
  storage,
  clock: systemClock,
  shards,
  settings: { appendfsync: 'no' },
  hooks: {
    onTrouble: (kind, error) => {
      throw new Error(kind, { cause: error });
    },
    onHealthy: () => undefined,
    wantSegment: () => undefined,
    tellProgress: () => undefined,
  },
  segment: openTestSegment(storage, stream, 1, 1, shards.length),
});

const touched: Shard[] = [...shards];
let randomState = threadId;
let isHeldUp = false;
for (let turn = 0; turn < errand.turns && !isHeldUp; turn += 1) {
  isHeldUp = !logTurn(writer, touched, changeSome(turn));
}
if (isHeldUp) Atomics.add(witness, 1, 1);
else syncNow(writer);
closeFiles(writer);
parentPort?.postMessage('done');

/** Changes one shard, or two in one command; returns how many are in `touched`. */
function changeSome(turn: number): number {
  randomState = nextRandom(randomState);
  const first = (randomState >>> 8) % shards.length;
  const second = (randomState >>> 16) % shards.length;
  if (turn % 4 !== 0 || first === second) {
    change([first], `alone-${stream}-${turn}`);
    touched[0] = shards[first];
    return 1;
  }
  change([Math.min(first, second), Math.max(first, second)], `group-${stream}-${turn}`);
  // One is enough: the other half must come along.
  touched[0] = shards[second];
  return 1;
}

function change(indexes: readonly number[], text: string): void {
  const key = Buffer.from(text);
  for (const index of indexes) acquireShard(shards[index]);
  for (const index of indexes) {
    putString(shards[index], 0, key, 0, key.length, key, 0, key.length, 0, NOW_MS);
    if (indexes.length > 1) markGrouped(shards[index]);
  }
  for (const index of indexes) releaseShard(shards[index]);
}
