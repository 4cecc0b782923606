/** One thread of the snapshot cases: waits for a round, takes its deed from the port, does it, says so. */
import { receiveMessageOnPort, workerData } from 'node:worker_threads';
import { doSnapshotDeed } from './snapshot-deeds.ts';
import {
  SNAPSHOT_FINISHED,
  SNAPSHOT_ROUND,
  SNAPSHOT_ROUND_LAST,
  type SnapshotDeed,
  type SnapshotThreadBoot,
} from './snapshot-memory.ts';

const { signal: buffer, port } = workerData as SnapshotThreadBoot;
const signal = new Int32Array(buffer);

let round = 0;
for (;;) {
  Atomics.wait(signal, SNAPSHOT_ROUND, round);
  round = Atomics.load(signal, SNAPSHOT_ROUND);
  if (round === SNAPSHOT_ROUND_LAST) break;
  doSnapshotDeed(receiveMessageOnPort(port)?.message as SnapshotDeed);
  Atomics.add(signal, SNAPSHOT_FINISHED, 1);
  Atomics.notify(signal, SNAPSHOT_FINISHED);
}
