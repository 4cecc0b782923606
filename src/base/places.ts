/**
 * Where the files lie that are not imported: the entries of threads and the dashboard's. Any thread.
 *
 * Run from the sources they are where the checkout has them. The bundle (scripts/bundle.ts) has all of them beside the one file, or the
 * few, that this module has become a part of.
 */
import { fileURLToPath } from 'node:url';

/** The files of `workers/`, without their extension. */
type WorkerEntryName = 'shard' | 'job';

export type Places = {
  /** The folder of all of it: a checkout or a bundle. */
  readonly home: string;
  /** The folder of the files that browsers get. */
  readonly dashboard: string;
  /** The file URL to start a thread from, for `new Worker` and for Piscina's `filename`. */
  readonly workerEntry: (name: WorkerEntryName) => URL;
};

/** This module among the sources. */
const SOURCE = 'src/base/places.ts';

export const PLACES = placesOf(import.meta.url);

/** As `PLACES`, for this module at `moduleUrl`. */
export function placesOf(moduleUrl: string): Places {
  const root = moduleUrl.endsWith(`/${SOURCE}`) ? moduleUrl.slice(0, -SOURCE.length) : undefined;
  if (root === undefined)
    return {
      home: fileURLToPath(new URL('.', moduleUrl)),
      dashboard: fileURLToPath(new URL('dashboard', moduleUrl)),
      workerEntry: (name) => new URL(`${name}.js`, moduleUrl),
    };
  return {
    home: fileURLToPath(root),
    dashboard: fileURLToPath(new URL('src/admin/dashboard', root)),
    workerEntry: (name) => new URL(`workers/${name}.ts`, root),
  };
}
