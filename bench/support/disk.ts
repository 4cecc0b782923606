/** Where the servers of a benchmark keep their files: on a disk, since the log's cost is that of a real file system. */
import { readFileSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { BadFlag } from './options.ts';

export type DiskFolder = { readonly path: string; readonly fileSystem: string };

const IN_MEMORY = ['tmpfs', 'ramfs', 'rootfs'];

/** The folder of `--dir`, the system's temporary folder where that is empty. Throws BadFlag where it is in memory. */
export function diskFolder(dir: string): DiskFolder {
  const path = realpathOf(dir || tmpdir());
  const fileSystem = fileSystemOf(readFileSync('/proc/mounts', 'utf8'), path);
  if (IN_MEMORY.includes(fileSystem))
    throw new BadFlag(`${path} is in memory (${fileSystem}): name a folder on a disk with --dir`);
  return { path, fileSystem };
}

/** One more line below those of the machine. */
export function diskText({ fileSystem }: DiskFolder): string {
  return `The servers' folders are on ${fileSystem}.\n\n`;
}

/** The type of the file system that holds an absolute path, by the text of /proc/mounts: the last of the longest that fit. */
export function fileSystemOf(mounts: string, path: string): string {
  let best = { place: '', type: 'unknown' };
  for (const line of mounts.split('\n')) {
    const [, escaped = '', type = ''] = line.split(' ');
    const place = escaped.replaceAll(/\\(\d{3})/g, (_, octal: string) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    );
    const isAbove = place !== '' && `${path}/`.startsWith(place.endsWith('/') ? place : `${place}/`);
    if (isAbove && place.length >= best.place.length) best = { place, type };
  }
  return best.type;
}

function realpathOf(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    throw new BadFlag(`--dir ${path}: ${(error as Error).message}`);
  }
}
