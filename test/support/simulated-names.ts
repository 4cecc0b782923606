/**
 * The names of the simulated disk: those that processes see, those that are on the disk for certain, and the changes in
 * between: after a power cut any of them may have happened or not, each for itself.
 *
 * Paths are as node:path tidies them. The process's folder and the root are always there.
 */
import { posix } from 'node:path';
import type { Random } from './seeded-random.ts';
import { copyFile, fileAfterPowerCut, type SimulatedFile } from './simulated-file.ts';

export type SimulatedNames = {
  readonly seen: Map<string, Node>;
  readonly durable: Map<string, Node>;
  unsynced: NameChange[];
};

/** Names given and taken (undefined) together: all of a change is seen, or nothing. */
export type NameChange = [path: string, node: Node | undefined][];

type Folder = { readonly isFolder: true };
type Node = SimulatedFile | Folder;

export const FOLDER: Folder = { isFolder: true };

export function createSimulatedNames(): SimulatedNames {
  return { seen: new Map(), durable: new Map(), unsynced: [] };
}

/** One way of writing for each path. */
export function tidied(path: string): string {
  const normal = posix.normalize(path);
  return normal.length > 1 && normal.endsWith('/') ? normal.slice(0, -1) : normal;
}

export function isFolder(names: SimulatedNames, path: string): boolean {
  return isRoot(path) || names.seen.get(path) === FOLDER;
}

/** The file of that name; undefined for a folder, and for nothing. */
export function fileNamed(names: SimulatedNames, path: string): SimulatedFile | undefined {
  const node = names.seen.get(path);
  return node === undefined || isFolderNode(node) ? undefined : node;
}

export function namesIn(names: SimulatedNames, folder: string): string[] {
  const paths = [...names.seen.keys()].filter((path) => posix.dirname(path) === folder);
  return paths.map((path) => posix.basename(path)).sort();
}

/** Changes names that are seen; returns the files that have none any more. */
export function changeNames(names: SimulatedNames, change: NameChange): SimulatedFile[] {
  const taken: SimulatedFile[] = [];
  for (const [path, node] of change) {
    const former = fileNamed(names, path);
    if (former !== undefined) {
      former.names -= 1;
      taken.push(former);
    }
    if (node !== undefined) counted(node);
    applyNames(names.seen, [[path, node]]);
  }
  names.unsynced.push(change);
  return taken.filter((file) => file.names === 0);
}

/** Makes the changes in one folder certain. */
export function settleNames(names: SimulatedNames, folder: string): void {
  settleWhere(names, (path) => posix.dirname(path) === folder);
}

/** Makes the changes of one path certain, and of the folders above it. */
export function settlePath(names: SimulatedNames, certain: string): void {
  settleWhere(names, (path) => isWithin(certain, path));
}

/** Removes a folder with all that is in it, for certain. */
export function loseFolder(names: SimulatedNames, folder: string): void {
  const lost = [...names.seen.keys()].filter((path) => isWithin(path, folder));
  changeNames(
    names,
    lost.map((path) => [path, undefined]),
  );
  settleWhere(names, (path) => isWithin(path, folder));
}

/** The names, and the files, as another process finds them: what was unsynced is so still. */
export function copyNames(names: SimulatedNames): SimulatedNames {
  const copied = rememberingCopies(copyFile);
  const copy = createSimulatedNames();
  for (const [path, node] of names.seen) copy.seen.set(path, counted(copied(node)));
  for (const [path, node] of names.durable) copy.durable.set(path, copied(node));
  copy.unsynced = names.unsynced.map((change) =>
    change.map(([path, node]) => [path, node === undefined ? undefined : copied(node)]),
  );
  return copy;
}

/** The names, and the files, as they are found after a power cut. */
export function namesAfterPowerCut(names: SimulatedNames, random: Random): SimulatedNames {
  const kept = new Map(names.durable);
  for (const change of names.unsynced) if (random(2) === 0) applyNames(kept, change);
  const isReachable = (path: string): boolean =>
    isRoot(path) || (kept.get(path) === FOLDER && isReachable(posix.dirname(path)));
  const found = rememberingCopies((file) => fileAfterPowerCut(file, random));
  const after = createSimulatedNames();
  for (const [path, node] of kept) {
    if (!isReachable(posix.dirname(path))) continue;
    after.seen.set(path, counted(found(node)));
    after.durable.set(path, found(node));
  }
  return after;
}

function settleWhere(names: SimulatedNames, isCertain: (path: string) => boolean): void {
  for (const change of names.unsynced) {
    applyNames(
      names.durable,
      change.filter(([path]) => isCertain(path)),
    );
  }
  names.unsynced = names.unsynced
    .map((change) => change.filter(([path]) => !isCertain(path)))
    .filter((change) => change.length > 0);
}

function applyNames(names: Map<string, Node>, change: NameChange): void {
  for (const [path, node] of change) {
    if (node === undefined) names.delete(path);
    else names.set(path, node);
  }
}

/** Copies each file once, however many names it has. */
function rememberingCopies(copy: (file: SimulatedFile) => SimulatedFile): (node: Node) => Node {
  const copies = new Map<SimulatedFile, SimulatedFile>();
  return (node) => {
    if (isFolderNode(node)) return node;
    const found = copies.get(node) ?? copy(node);
    copies.set(node, found);
    return found;
  };
}

function counted(node: Node): Node {
  if (!isFolderNode(node)) node.names += 1;
  return node;
}

function isFolderNode(node: Node): node is Folder {
  return node === FOLDER;
}

function isRoot(path: string): boolean {
  return path === '.' || path === '/';
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}
