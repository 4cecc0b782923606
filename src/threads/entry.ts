/**
 * Where the thread entries lie. Runs on the main thread.
 *
 * The checkout runs `workers/*.ts` as they are; the published package carries compiled `.js` in the same
 * layout (`dist/src`, `dist/workers`), so an entry has the extension of this very file.
 */

/** The files of `workers/`, without their extension. */
export type WorkerEntryName = 'shard' | 'job';

/** The file URL to start a thread from, for `new Worker` and for Piscina's `filename`. */
export function workerEntry(name: WorkerEntryName): URL {
  return entryBeside(import.meta.url, name);
}

/** As `workerEntry`, for a module at `moduleUrl` two folders below the root of the layout. */
export function entryBeside(moduleUrl: string, name: WorkerEntryName): URL {
  const extension = moduleUrl.endsWith('.ts') ? 'ts' : 'js';
  return new URL(`../../workers/${name}.${extension}`, moduleUrl);
}
