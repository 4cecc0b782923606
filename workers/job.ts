/**
 * The entry of a thread of the job pool: every job is one export, called by its name (src/threads/jobs.ts).
 */
import { systemClock } from '../src/base/clock.ts';
import { findSubsequence, type SubsequenceRequest } from '../src/commands/strings-subsequence.ts';
import {
  type ReplayLogRequest,
  replayLogJob,
  type ScanLogRequest,
  scanLogJob,
} from '../src/durability/recovery-jobs.ts';
import {
  type LoadSnapshotRequest,
  loadSnapshotJob,
  type OrderShardRequest,
  orderShardJob,
  type SnapshotShardRequest,
  snapshotShardJob,
  type VerifySnapshotRequest,
  verifySnapshotJob,
} from '../src/durability/snapshot-jobs.ts';
import { type BigKeysRequest, bigKeysJob } from '../src/shard/big-keys.ts';
import { createPace } from '../src/threads/pace.ts';

export function subsequence(request: SubsequenceRequest) {
  return findSubsequence(request);
}

export function snapshotShard(request: SnapshotShardRequest) {
  return snapshotShardJob(request, systemClock, createPace(request.share, systemClock));
}

export function verifySnapshot(request: VerifySnapshotRequest) {
  return verifySnapshotJob(request);
}

export function scanLog(request: ScanLogRequest) {
  return scanLogJob(request);
}

export function replayLog(request: ReplayLogRequest) {
  return replayLogJob(request, systemClock);
}

export function loadSnapshot(request: LoadSnapshotRequest) {
  return loadSnapshotJob(request, systemClock);
}

export function orderShard(request: OrderShardRequest): void {
  orderShardJob(request, systemClock);
}

export function bigKeys(request: BigKeysRequest) {
  return bigKeysJob(request, systemClock, createPace(request.share, systemClock));
}
