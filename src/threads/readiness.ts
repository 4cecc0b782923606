/**
 * What the data on disk has to say to whoever asks whether this server should get traffic.
 *
 * Main thread.
 */
import { systemErrorText } from '../base/platform.ts';
import { troubleErrno } from '../durability/log-board.ts';
import {
  LOADING_BYTES_DONE,
  LOADING_BYTES_TOTAL,
  LOG_TROUBLED,
  SNAPSHOT_LAST_FAILED,
} from '../metrics/persistence.ts';
import { GATE_LOADING, GATE_SNAPSHOT, gateReasons } from '../resilience/gate.ts';
import type { Persistence } from './persistence.ts';

const PERCENT = 100;
const BYTES_PER_MB = 1e6;

/** One line of an answer: a name, whether it is well, what is wrong if not, and what there is to say if it is. */
export type Check = {
  readonly name: string;
  readonly ok: boolean;
  readonly reason: string;
  readonly detail?: string;
};

/** A server that serves on without its log (`on-log-error continue`), or after a snapshot that failed, is ready. */
export function persistenceChecks({ gate, numbers, board, config }: Persistence): Check[] {
  const isTroubled = numbers[LOG_TROUBLED] === 1 && config.onLogError === 'refuse';
  const errno = troubleErrno(board);
  const cause = errno === 0 ? 'it is being begun anew' : systemErrorText(errno);
  return [
    { name: 'loading', ok: (gateReasons(gate) & GATE_LOADING) === 0, reason: loadingText(numbers) },
    { name: 'log', ok: !isTroubled, reason: `the log cannot be written: ${cause}` },
    {
      name: 'snapshot',
      ok: (gateReasons(gate) & GATE_SNAPSHOT) === 0,
      reason: 'the last snapshot failed, and nothing may change until one succeeds',
      ...(numbers[SNAPSHOT_LAST_FAILED] === 1 ? { detail: 'the last one failed' } : {}),
    },
  ];
}

function loadingText(numbers: Float64Array): string {
  const bytes = numbers[LOADING_BYTES_TOTAL];
  if (bytes === 0) return 'loading';
  const percent = Math.floor((PERCENT * numbers[LOADING_BYTES_DONE]) / bytes);
  return `loading, ${percent} % of ${Math.ceil(bytes / BYTES_PER_MB)} MB`;
}
