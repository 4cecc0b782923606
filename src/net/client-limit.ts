/**
 * How many clients the operating system lets the process have, against how many `maxclients` asks for.
 *
 * Pure; main thread, at start.
 */
import { StartError } from '../base/errors.ts';
import type { Change, Config } from '../config/config.ts';
import { OPEN_FILES_PER_THREAD, OPEN_FILES_RESERVED } from '../config/limits.ts';

/**
 * The change to `maxclients` that so many open files demand, undefined where they are enough: as redis-server does, rather
 * than promise connections that cannot be accepted. Throws a StartError where none is left for clients.
 */
export function fitClients({ maxclients, workers }: Config, openFilesMax: number): Change | undefined {
  const clientsMax = openFilesMax - OPEN_FILES_RESERVED - OPEN_FILES_PER_THREAD * (1 + workers);
  if (clientsMax < 1) {
    throw new StartError(`the limit of ${openFilesMax} open files (ulimit -n) leaves none for clients`, 1);
  }
  return maxclients <= clientsMax ? undefined : ['maxclients', `${clientsMax}`];
}
