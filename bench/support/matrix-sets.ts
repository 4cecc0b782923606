/**
 * What `npm run bench` measures: sets of loads, each of which changes one thing around a base point (GET and SET, 16 in the
 * pipeline, 50 connections, values of 64 bytes, every key as likely, no persistence). Pure.
 */
import type { CommandName } from './request-kinds.ts';

export const SET_NAMES = [
  'pipeline',
  'connections',
  'values',
  'mix',
  'keys',
  'workers',
  'persistence',
  'commands',
] as const;

export type SetName = (typeof SET_NAMES)[number];

/** One load. `command` and `setting` name it within its set: servers are compared where both are the same. */
export type Load = {
  readonly command: string;
  readonly setting: string;
  readonly mix: readonly { readonly command: CommandName; readonly share: number }[];
  readonly pipeline: number;
  readonly connections: number;
  /** Of Zipf's law; 0: every key is as likely. */
  readonly skew: number;
};

/** Loads that the same servers get, one server after the other, on the same keys. */
export type Contest = {
  readonly set: SetName;
  readonly valueBytes: number;
  /** Of our own server: so many each; 0: its default. */
  readonly workers: readonly number[];
  readonly persistence: Persistence;
  readonly loads: readonly Load[];
};

/** `appendfsync`, or no log at all. */
type Persistence = 'none' | 'everysec' | 'always';

/** Sets that redis-benchmark cannot make: it draws no mixes and no skewed keys, and takes no megabyte on its command line. */
export const OWN_GENERATOR_SETS: readonly SetName[] = ['values', 'mix', 'keys'];

/** What the set changes, as the heading of a column. */
export const SETTING_HEADINGS: Readonly<Record<SetName, string>> = {
  pipeline: 'P',
  connections: 'connections',
  values: 'value',
  mix: 'reads:writes',
  keys: 'keys',
  workers: 'P',
  persistence: 'appendfsync',
  commands: 'P',
};

const DEFAULT_WORKERS = [0];
const PIPELINES = [1, 4, 16, 64];
const CONNECTIONS = [1, 10, 50, 200, 1000];
const VALUE_SIZES = [
  ['8 B', 8],
  ['64 B', 64],
  ['1 KiB', 1024],
  ['16 KiB', 16 * 1024],
  ['1 MiB', 1024 * 1024],
] as const;
const READ_PERCENTS = [100, 90, 50, 0];
const SKEWS = [0, 0.99];
const WORKERS_PIPELINES = [1, 16, 64];
const PERSISTENCE = ['none', 'everysec', 'always'] as const;
const COMMANDS_PIPELINES = [1, 16];

const BASE = { pipeline: 16, connections: 50, skew: 0 };
const BASE_VALUE_BYTES = 64;
/** Values that are under way at the same time: larger ones go in shorter pipelines. */
const UNDER_WAY_BYTES_MAX = 64 * 1024 * 1024;
/** All values of a server. */
const VALUES_BYTES_MAX = 256 * 1024 * 1024;

/** The contests of a set, on a machine with so many cores. */
export function contestsOf(set: SetName, cores: number): Contest[] {
  const contest = (loads: readonly Load[]): Contest => ({
    ...{ set, loads, valueBytes: BASE_VALUE_BYTES },
    ...{ workers: DEFAULT_WORKERS, persistence: 'none' },
  });
  switch (set) {
    case 'pipeline':
      return [contest(PIPELINES.flatMap((pipeline) => getAndSet(String(pipeline), { pipeline })))];
    case 'connections':
      return [contest(CONNECTIONS.flatMap((count) => getAndSet(String(count), { connections: count })))];
    case 'values':
      return VALUE_SIZES.map(([setting, valueBytes]) => ({
        ...contest(getAndSet(setting, { pipeline: pipelineFor(valueBytes) })),
        valueBytes,
      }));
    case 'mix':
      return [contest(READ_PERCENTS.map(mixedLoad))];
    case 'keys':
      return [contest(SKEWS.flatMap((skew) => getAndSet(skew === 0 ? 'uniform' : `Zipf ${skew}`, { skew })))];
    case 'workers':
      return [{ ...contest(atDepths(WORKERS_PIPELINES, ['GET', 'SET'])), workers: workerCounts(cores) }];
    case 'persistence':
      return PERSISTENCE.map((persistence) => ({ ...contest([loadOf('SET', persistence)]), persistence }));
    case 'commands':
      return [contest(atDepths(COMMANDS_PIPELINES, ['INCR', 'MGET', 'MSET']))];
  }
}

/** 1, 2, 4, ... and as many as there are cores. */
export function workerCounts(cores: number): number[] {
  const powers = Array.from({ length: Math.ceil(Math.log2(cores)) }, (_, exponent) => 2 ** exponent);
  return [...powers, cores];
}

/** As many keys as are wanted, unless their values would take too much memory. */
export function keysFor(valueBytes: number, wanted: number): number {
  return Math.min(wanted, Math.floor(VALUES_BYTES_MAX / valueBytes));
}

/** How many of a hundred of its requests read. */
export function readPercentOf({ mix }: Load): number {
  const reads = mix.filter(({ command }) => command === 'GET' || command === 'MGET');
  return Math.round(100 * reads.reduce((sum, { share }) => sum + share, 0));
}

function pipelineFor(valueBytes: number): number {
  const fitting = Math.floor(UNDER_WAY_BYTES_MAX / (BASE.connections * valueBytes));
  return Math.max(1, Math.min(BASE.pipeline, fitting));
}

function getAndSet(setting: string, change: Partial<typeof BASE>): Load[] {
  return [loadOf('GET', setting, change), loadOf('SET', setting, change)];
}

function atDepths(pipelines: readonly number[], commands: readonly CommandName[]): Load[] {
  return pipelines.flatMap((pipeline) =>
    commands.map((command) => loadOf(command, String(pipeline), { pipeline })),
  );
}

function loadOf(command: CommandName, setting: string, change: Partial<typeof BASE> = {}): Load {
  return { ...BASE, ...change, command, setting, mix: [{ command, share: 1 }] };
}

function mixedLoad(readPercent: number): Load {
  const setting = `${readPercent}:${100 - readPercent}`;
  const mix = [
    { command: 'GET', share: readPercent / 100 },
    { command: 'SET', share: 1 - readPercent / 100 },
  ] as const;
  return { ...BASE, command: 'GET, SET', setting, mix: mix.filter(({ share }) => share > 0) };
}
