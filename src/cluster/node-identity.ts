/**
 * The name under which a node is known to its cluster: 40 hexadecimal digits, made by chance at the first start and kept in `dir`.
 *
 * Main thread, at start, and on nodes of a cluster only. The file is written aside, synced, renamed into place, and its folder
 * synced: it is there whole or not at all. A folder that is copied to another machine takes the name along: of two nodes with one
 * name the cluster takes one (membership.ts).
 */
import { Buffer } from 'node:buffer';
import { posix } from 'node:path';
import { StartError } from '../base/errors.ts';
import { NODE_ID_DIGITS } from '../config/limits-cluster.ts';
import type { Storage } from '../durability/storage-types.ts';

export const NODE_FILE_NAME = 'distcache.node';
const ASIDE = '.tmp';
const EX_CONFIG = 78;
const ID_PATTERN = new RegExp(`^[0-9a-f]{${NODE_ID_DIGITS}}$`);

/**
 * The node's name: `configured` (the directive `node-id`) where it is set, else the one in `folder`, else a new one, which is kept
 * there. Throws a StartError where the directive or the file is no name, or the folder cannot be written.
 */
export function takeNodeId(
  storage: Storage,
  folder: string,
  configured: string,
  makeId: () => string,
): string {
  if (configured !== '') return checkConfigured(configured.toLowerCase());
  const path = posix.join(folder, NODE_FILE_NAME);
  if (storage.exists(path)) return readId(storage, path);
  const id = makeId();
  keepId(storage, folder, path, id);
  return id;
}

function checkConfigured(id: string): string {
  if (ID_PATTERN.test(id)) return id;
  throw new StartError(
    `node-id ${JSON.stringify(id)}: must be ${NODE_ID_DIGITS} hexadecimal digits`,
    EX_CONFIG,
  );
}

function readId(storage: Storage, path: string): string {
  const fd = storage.openRead(path);
  const bytes = Buffer.alloc(NODE_ID_DIGITS + 2);
  let count = 0;
  try {
    count = storage.read(fd, bytes, 0, bytes.length, 0);
  } finally {
    storage.close(fd);
  }
  const text = bytes.toString('latin1', 0, count);
  const id = text.endsWith('\n') ? text.slice(0, -1) : text;
  if (ID_PATTERN.test(id)) return id;
  throw new StartError(
    `the file '${path}' in dir is damaged: it should hold this node's name, ${NODE_ID_DIGITS} hexadecimal digits. Write the name there that the cluster knows ('cluster nodes'), or remove the file to join as a new node`,
    1,
  );
}

function keepId(storage: Storage, folder: string, path: string, id: string): void {
  const aside = path + ASIDE;
  if (storage.exists(aside)) storage.remove(aside);
  const bytes = Buffer.from(`${id}\n`);
  const fd = storage.createFile(aside);
  try {
    storage.write(fd, bytes, 0, bytes.length, 0);
    storage.sync(fd);
  } finally {
    storage.close(fd);
  }
  storage.rename(aside, path);
  storage.syncFolder(folder);
}
