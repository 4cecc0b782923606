/**
 * What this machine and its cgroup give to the process: cores and memory, from which the computed defaults come.
 * Read once at start, on the main thread; the sources are arguments so that a test can be any machine.
 */
import { availableParallelism, totalmem } from 'node:os';
import { posix } from 'node:path';
import {
  ARENA_BYTES_MAX,
  CLIENTS_BYTES_DEFAULT_MIN,
  MIB,
  SHARD_MEMORY_BYTES_MIN,
  WORKERS_MAX,
} from './limits.ts';

/** Cores and bytes that the process may use. */
export type Machine = { cores: number; memoryBytes: number };

type MemorySources = {
  totalBytes: number;
  /** What the runtime found to constrain the process; 0 where it found nothing. */
  constrainedBytes: number;
  /** The text of a file; undefined where it cannot be read. */
  readFile: (path: string) => string | undefined;
};

const CGROUP_FILE = '/proc/self/cgroup';
const CGROUP_ROOT = '/sys/fs/cgroup';

export function measureMachine(readFile: (path: string) => string | undefined): Machine {
  const memoryBytes = usableMemoryBytes({
    totalBytes: totalmem(),
    constrainedBytes: process.constrainedMemory(),
    readFile,
  });
  return { cores: availableParallelism(), memoryBytes };
}

/** The least of the machine's memory, the runtime's own finding, and every cgroup limit above this process. */
export function usableMemoryBytes(sources: MemorySources): number {
  const limits = [sources.totalBytes, sources.constrainedBytes, ...cgroupLimits(sources.readFile)];
  return Math.min(...limits.filter((bytes) => bytes > 0));
}

export function defaultWorkers(machine: Machine): number {
  return Math.min(Math.max(machine.cores, 1), WORKERS_MAX);
}

/** Half of the usable memory, in whole MiB, within what so many shards can work with. */
export function defaultMaxmemoryBytes(machine: Machine, workers: number): number {
  const halfBytes = Math.floor(machine.memoryBytes / 2 / MIB) * MIB;
  return Math.min(Math.max(halfBytes, workers * SHARD_MEMORY_BYTES_MIN), workers * ARENA_BYTES_MAX);
}

/** What all clients together may keep: a quarter of the usable memory, in whole MiB, next to the half for keys and values. */
export function defaultClientsBytes(machine: Machine): number {
  return Math.max(CLIENTS_BYTES_DEFAULT_MIN, Math.floor(machine.memoryBytes / 4 / MIB) * MIB);
}

/**
 * The limits of the process's cgroup and all its parents. Version 2 names the cgroup as `0::/path` and keeps the limit in
 * memory.max, version 1 as `9:memory:/path` and memory.limit_in_bytes. `max`, and files that are not there, are no limit.
 */
function cgroupLimits(readFile: MemorySources['readFile']): number[] {
  const limits: number[] = [];
  for (const line of (readFile(CGROUP_FILE) ?? '').split('\n')) {
    const [hierarchy, controllers, ...path] = line.trim().split(':');
    if (path.length === 0) continue;
    const version2 = hierarchy === '0' && controllers === '';
    if (!version2 && !controllers.split(',').includes('memory')) continue;
    const root = version2 ? CGROUP_ROOT : posix.join(CGROUP_ROOT, 'memory');
    const file = version2 ? 'memory.max' : 'memory.limit_in_bytes';
    for (const folder of foldersUpwards(path.join(':'))) {
      const bytes = Number(readFile(posix.join(root, folder, file))?.trim() || Number.NaN);
      if (Number.isFinite(bytes)) limits.push(bytes);
    }
  }
  return limits;
}

/** `/a/b` gives `/a/b`, `/a` and `/`. In a container the path may be the host's: then only `/` is there to read. */
function foldersUpwards(path: string): string[] {
  const folders = ['/'];
  for (const name of path.split('/')) {
    if (name !== '' && name !== '..') folders.unshift(posix.join(folders[0], name));
  }
  return folders;
}
