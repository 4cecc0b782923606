/** Which faults a run goes through, by its seed. Pure. */
import { createRandom } from '../seeded-random.ts';

export const FAULT_KINDS = [
  'kill-owner',
  'kill-coordinator',
  'pause-owner',
  'kill-etcd-leader',
  'etcd-down',
  'cut-all',
  'cut-out',
  'cut-in',
  'rolling-restart',
  'join-and-leave',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

export type Schedule = {
  readonly seed: number;
  readonly faults: readonly FaultKind[];
};

const FAULTS_MAX = 3;

/** One to three of the kinds, one after the other; the same twice is as good as any. */
export function scheduleOf(seed: number, kinds: readonly FaultKind[]): Schedule {
  const random = createRandom(seed);
  const faults = Array.from({ length: 1 + random(FAULTS_MAX) }, () => kinds[random(kinds.length)]);
  return { seed, faults };
}
