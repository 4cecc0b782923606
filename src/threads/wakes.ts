/**
 * Which workers want to be woken by the others when something has happened: a word for each (routing/replication-board.ts).
 *
 * Runs on the workers. 0 does not care; 1 wants to be woken; 2 was woken and has not looked yet. So each is woken once at most until
 * it has looked, and nobody where nobody cares.
 */
const DOES_NOT_CARE = 0;
const WANTS_WAKE = 1;
const IS_WOKEN = 2;

/** Says whether this worker wants to be woken from now on. To be said before it looks. */
export function wantWake(wakes: Int32Array, worker: number, wants: boolean): void {
  Atomics.store(wakes, worker, wants ? WANTS_WAKE : DOES_NOT_CARE);
}

/** Calls `wake` for each other worker that wants to be woken. Some nanoseconds where none does. */
export function wakeOthers(wakes: Int32Array, ownWorker: number, wake: (worker: number) => void): void {
  for (let worker = 0; worker < wakes.length; worker += 1) {
    if (worker === ownWorker || Atomics.load(wakes, worker) !== WANTS_WAKE) continue;
    if (Atomics.compareExchange(wakes, worker, WANTS_WAKE, IS_WOKEN) === WANTS_WAKE) wake(worker);
  }
}
