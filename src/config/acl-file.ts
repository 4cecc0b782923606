/**
 * The door to the ACL file: reading it whole, and replacing it whole or not at all. Main thread.
 *
 * Its bytes are texts of one character each.
 */
import { readFileSync, statSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fileErrorText, replaceFile } from './file.ts';
import { CONFIG_FILE_BYTES_MAX } from './limits.ts';

/** The hashes of passwords are for nobody else. */
const NEW_FILE_MODE = 0o600;
const PERMISSION_BITS = 0o777;

/** A path that is not absolute is below `folder`. */
export function readAclFile(
  folder: string,
  path: string,
): { readonly bytes: string } | { readonly trouble: string } {
  const whole = resolve(folder, path);
  try {
    if (statSync(whole).size > CONFIG_FILE_BYTES_MAX) return { trouble: 'the file is too large' };
    return { bytes: readFileSync(whole, 'latin1') };
  } catch (error) {
    return { trouble: fileErrorText(error) };
  }
}

/** Written aside, synced, renamed into place, folder synced. Resolves to what went wrong in words, or undefined. */
export async function writeAclFile(folder: string, path: string, bytes: string): Promise<string | undefined> {
  const whole = resolve(folder, path);
  try {
    // A link stays a link: the file that it names is replaced.
    const target = await realpath(whole).catch(() => whole);
    await replaceFile(target, bytes, modeOf(target), 'latin1');
    return undefined;
  } catch (error) {
    return fileErrorText(error);
  }
}

function modeOf(path: string): number {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats === undefined ? NEW_FILE_MODE : stats.mode & PERMISSION_BITS;
}
