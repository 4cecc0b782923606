/** A world for configuration tests: files in memory, four cores, 16 GiB, and a Config made in it. */
import type { Config } from '../../src/config/config.ts';
import { GIB } from '../../src/config/limits.ts';
import { type Loaded, loadConfig, type Surroundings } from '../../src/config/load.ts';

export const WORKING_FOLDER = '/srv/cache';

export function world(files: Record<string, string> = {}): Surroundings {
  return {
    readFile: (path) => {
      if (files[path] === undefined) throw new Error('no such file or directory');
      return files[path];
    },
    matchFiles: (pattern) => Object.keys(files).filter((path) => path.startsWith(pattern.split('*')[0])),
    workingFolder: WORKING_FOLDER,
    machine: { cores: 4, memoryBytes: 16 * GIB },
  };
}

export type Run = Extract<Loaded, { kind: 'run' }>;

export function load(
  argv: string[] = [],
  environment: Record<string, string> = {},
  files: Record<string, string> = {},
): Run {
  const loaded = loadConfig(argv, environment, world(files));
  if (loaded.kind !== 'run') throw new Error(`expected to run, not ${loaded.kind}`);
  return loaded;
}

export function configOf(...argv: string[]): Config {
  return load(argv).config;
}
