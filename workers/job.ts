/**
 * The entry of a thread of the job pool: every job is one export, called by its name (src/threads/jobs.ts).
 */
import { systemClock } from '../src/base/clock.ts';
import {
  findSubsequence,
  type Subsequence,
  type SubsequenceRequest,
} from '../src/commands/strings-subsequence.ts';
import {
  type ReplayLogOutcome,
  type ReplayLogRequest,
  replayLogJob,
  type ScanLogRequest,
  scanLogJob,
} from '../src/durability/recovery-jobs.ts';
import type { ScanResult } from '../src/durability/recovery-scan.ts';
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
import type { LoadOutcome } from '../src/durability/snapshot-loader.ts';
import type { VerifyOutcome } from '../src/durability/snapshot-reader.ts';
import type { SnapshotOutcome } from '../src/durability/snapshot-writer.ts';
import { createPace } from '../src/threads/pace.ts';

export function subsequence(request: SubsequenceRequest): Subsequence {
  return findSubsequence(request);
}

export function snapshotShard(request: SnapshotShardRequest): SnapshotOutcome {
  return snapshotShardJob(request, systemClock, createPace(request.share, systemClock));
}

export function verifySnapshot(request: VerifySnapshotRequest): VerifyOutcome {
  return verifySnapshotJob(request);
}

export function scanLog(request: ScanLogRequest): ScanResult {
  return scanLogJob(request);
}

export function replayLog(request: ReplayLogRequest): ReplayLogOutcome {
  return replayLogJob(request, systemClock);
}

export function loadSnapshot(request: LoadSnapshotRequest): LoadOutcome {
  return loadSnapshotJob(request, systemClock);
}

export function orderShard(request: OrderShardRequest): void {
  orderShardJob(request, systemClock);
}
