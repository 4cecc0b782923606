/**
 * The configuration's door to the disk: reading files at start, and replacing the configuration file whole or not
 * at all. Main thread.
 */
import { globSync, readFileSync, statSync } from 'node:fs';
import { open, readFile, realpath, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { getSystemErrorMessage } from 'node:util';
import type { Config } from './config.ts';
import { CONFIG_FILE_BYTES_MAX } from './limits.ts';
import type { Surroundings } from './load.ts';
import { measureMachine } from './machine.ts';
import { rewriteConfigFile } from './rewrite.ts';

const NEW_FILE_MODE = 0o644;
const PERMISSION_BITS = 0o777;

/** The world as this process finds it, for loadConfig. */
export function currentSurroundings(): Surroundings {
  return {
    readFile: readConfigText,
    matchFiles: (pattern) => globSync(pattern).sort(),
    workingFolder: process.cwd(),
    machine: measureMachine(readIfThere),
  };
}

/**
 * Rewrites the file at `path` for CONFIG REWRITE: written aside, synced, renamed into place, folder synced. Resolves
 * to what went wrong in words (the old file is then untouched), or undefined. `userLines` declare the users.
 */
export async function rewriteConfigOnDisk(
  path: string,
  config: Config,
  userLines: readonly string[],
): Promise<string | undefined> {
  try {
    // A link stays a link: the file that it names is replaced.
    const target = await realpath(path).catch(() => path);
    const old = await readExisting(target);
    await replaceFile(target, rewriteConfigFile(old.text, config, userLines), old.mode);
    return undefined;
  } catch (error) {
    return `Rewriting config file: ${fileErrorText(error)}`;
  }
}

/** Replaces a file whole or not at all: written aside, synced, renamed into place, folder synced. Rejects with why not. */
export async function replaceFile(
  path: string,
  text: string,
  mode: number,
  encoding: 'utf8' | 'latin1' = 'utf8',
): Promise<void> {
  const aside = `${path}.${process.pid}.tmp`;
  try {
    const file = await open(aside, 'w', mode);
    try {
      await file.chmod(mode);
      await file.writeFile(text, encoding);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(aside, path);
  } catch (error) {
    await rm(aside, { force: true });
    throw error;
  }
  await syncFolder(dirname(path));
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function readExisting(path: string): Promise<{ text: string; mode: number }> {
  try {
    const { mode } = await stat(path);
    return { text: await readFile(path, 'utf8'), mode: mode & PERMISSION_BITS };
  } catch (error) {
    if (isSystemError(error) && error.code === 'ENOENT') return { text: '', mode: NEW_FILE_MODE };
    throw error;
  }
}

function readConfigText(path: string): string {
  try {
    if (statSync(path).size > CONFIG_FILE_BYTES_MAX) throw new Error('the file is too large');
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new Error(fileErrorText(error));
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** What went wrong, in the words of the system. */
export function fileErrorText(error: unknown): string {
  if (isSystemError(error) && error.errno !== undefined) return getSystemErrorMessage(error.errno);
  return error instanceof Error ? error.message : String(error);
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error;
}
