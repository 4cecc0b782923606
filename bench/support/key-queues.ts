/** Queues of numbered keys with their sizes, for simulated caches: every key is in one of them or in none. Pure. */

/** Queue `q` is a ring through the place `keys + q`, its head. Queue 0 is no queue. */
export type KeyQueues = {
  readonly keys: number;
  readonly newer: Int32Array;
  readonly older: Int32Array;
  /** By key: the queue, and the bytes. */
  readonly queue: Uint8Array;
  readonly sizes: Float64Array;
  /** By queue. */
  readonly counts: Int32Array;
  readonly bytes: Float64Array;
};

export const NO_QUEUE = 0;
export const NO_KEY = -1;

export function createKeyQueues(keys: number, queues: number): KeyQueues {
  const heads = Int32Array.from({ length: keys + queues + 1 }, (_, place) => place);
  return {
    keys,
    newer: heads,
    older: heads.slice(),
    queue: new Uint8Array(keys),
    sizes: new Float64Array(keys),
    counts: new Int32Array(queues + 1),
    bytes: new Float64Array(queues + 1),
  };
}

/** Puts a key that is in no queue at the newest end of one. */
export function pushKey(queues: KeyQueues, queue: number, key: number, bytes: number): void {
  const { newer, older } = queues;
  const head = queues.keys + queue;
  const newest = older[head];
  newer[newest] = key;
  older[key] = newest;
  newer[key] = head;
  older[head] = key;
  queues.queue[key] = queue;
  queues.sizes[key] = bytes;
  queues.counts[queue] += 1;
  queues.bytes[queue] += bytes;
}

/** Takes a key out of its queue. */
export function takeKey(queues: KeyQueues, key: number): void {
  const { newer, older } = queues;
  newer[older[key]] = newer[key];
  older[newer[key]] = older[key];
  const queue = queues.queue[key];
  queues.queue[key] = NO_QUEUE;
  queues.counts[queue] -= 1;
  queues.bytes[queue] -= queues.sizes[key];
}

/** Puts a key at the newest end of a queue, wherever it was. */
export function moveKey(queues: KeyQueues, queue: number, key: number): void {
  takeKey(queues, key);
  pushKey(queues, queue, key, queues.sizes[key]);
}

/** The oldest key of a queue, or NO_KEY. */
export function oldestIn(queues: KeyQueues, queue: number): number {
  return newerIn(queues, queue, queues.keys + queue);
}

/** The next newer key of a queue, or NO_KEY. */
export function newerIn(queues: KeyQueues, queue: number, key: number): number {
  const next = queues.newer[key];
  return next === queues.keys + queue ? NO_KEY : next;
}
