/**
 * Settings: what a file, the environment and the flags say, each with its place for error messages, before any of
 * it is checked. Main thread, at start.
 */
import { StartError } from '../base/errors.ts';
import { splitArguments } from './arguments.ts';
import { DIRECTIVES, ENVIRONMENT_PREFIX, environmentName, findDirective } from './directives.ts';
import { CONFIG_INCLUDE_DEPTH_MAX } from './limits.ts';
import { nearestName } from './suggestion.ts';

/** `--name=value`, whatever the value holds. */
const NAME_AND_VALUE = /^--([^\s=]*)=(.*)$/s;

/** sysexits.h: something is wrong with the configuration. */
const EXIT_CODE_CONFIG = 78;

export type Setting = {
  name: string;
  words: string[];
  source: 'file' | 'environment' | 'flag';
  /** `path:line`, the environment variable, or the flag. */
  place: string;
};

export type Flags = {
  settings: Setting[];
  configPath: string | undefined;
  help: boolean;
  version: boolean;
};

export type Files = {
  /** The text of a file; throws where it cannot be read. */
  readFile: (path: string) => string;
  /** The files that a pattern with `*`, `?` or `[...]` names, sorted. */
  matchFiles: (pattern: string) => string[];
};

/** The variables of a container platform for a service that happens to have our name, e.g. DISTCACHE_PORT=tcp://10.0.0.1:6379. */
const SERVICE_LINK_NAME = /^DISTCACHE_(SERVICE_(HOST|PORT.*)|PORT_\d+_(TCP|UDP)(_.*)?)$/;
const SERVICE_LINK_VALUE = /^(tcp|udp):\/\//;

export function configError(place: string, message: string): StartError {
  return new StartError(`${place}: ${message}`, EXIT_CODE_CONFIG);
}

/** What to say after a name that is not known. */
export function didYouMean(name: string, known: Iterable<string>): string {
  const nearest = nearestName(name, known);
  return nearest === undefined ? '; see --help' : `; did you mean '${nearest}'?`;
}

/**
 * `[file] --name word word --name=word '--name word' ...`: a flag takes all words up to the next one that begins with `--`, and one that is
 * a text whatever comes first. The file is the first argument, or `--config file`. As in redis-server a name may come without its dashes
 * right behind the file.
 */
export function readFlags(argv: readonly string[]): Flags {
  const flags: Flags = { settings: [], configPath: undefined, help: false, version: false };
  let at = 0;
  if (argv.length > 0 && !argv[0].startsWith('-')) flags.configPath = argv[at++];
  if (at === 1 && at < argv.length && findDirective(argv[at]) !== undefined) {
    at = readFlag(flags, argv[at], [], argv, at + 1);
  }
  while (at < argv.length) {
    const flag = argv[at++];
    if (flag === '-h' || flag === '-v') {
      addFlag(flags, flag === '-h' ? 'help' : 'version', []);
      continue;
    }
    if (!flag.startsWith('--'))
      throw configError(`argument ${JSON.stringify(flag)}`, 'is not a flag; see --help');
    const [, name, value] = NAME_AND_VALUE.exec(flag) ?? [];
    if (name !== undefined) {
      addFlag(flags, name, [value]);
      continue;
    }
    const words = splitArguments(flag.slice(2));
    if (words === undefined) throw configError(`argument ${JSON.stringify(flag)}`, 'has unbalanced quotes');
    at = readFlag(flags, words[0] ?? '', words.slice(1), argv, at);
  }
  return flags;
}

/** Adds a flag with the words that are its own, from `argv[at]` on if it has none yet; where the next flag begins. */
function readFlag(
  flags: Flags,
  name: string,
  words: string[],
  argv: readonly string[],
  start: number,
): number {
  let at = start;
  const takesAny = words.length === 0 && findDirective(name)?.type === 'string';
  if (takesAny && at < argv.length) words.push(argv[at++]);
  while (at < argv.length && !argv[at].startsWith('--')) words.push(argv[at++]);
  addFlag(flags, name, words);
  return at;
}

function addFlag(flags: Flags, name: string, words: string[]): void {
  if (name === 'help') {
    flags.help = true;
  } else if (name === 'version') {
    flags.version = true;
  } else if (name === 'config') {
    if (words.length !== 1 || words[0] === '')
      throw configError('flag --config', 'takes the path of one file');
    if (flags.configPath !== undefined) throw configError('flag --config', 'a file is named already');
    flags.configPath = words[0];
  } else {
    flags.settings.push({ name, words, source: 'flag', place: `flag --${name}` });
  }
}

/** The settings in variables such as DISTCACHE_MAXMEMORY_POLICY; several words are separated by spaces. */
export function readEnvironment(environment: Readonly<Record<string, string | undefined>>): Setting[] {
  const nameOf = new Map(DIRECTIVES.map((directive) => [environmentName(directive), directive.name]));
  const settings: Setting[] = [];
  for (const [variable, value] of Object.entries(environment)) {
    if (!variable.startsWith(ENVIRONMENT_PREFIX) || value === undefined) continue;
    if (SERVICE_LINK_NAME.test(variable) || SERVICE_LINK_VALUE.test(value)) continue;
    const place = `environment variable ${variable}`;
    const name = nameOf.get(variable);
    if (name === undefined) {
      throw configError(place, `names no directive${didYouMean(variable, nameOf.keys())}`);
    }
    settings.push({ name, words: [value], source: 'environment', place });
  }
  return settings;
}

/** The settings of a file in redis.conf syntax; `include` brings in others where it stands. */
export function readConfigFile(path: string, files: Files, depth = 0): Setting[] {
  const settings: Setting[] = [];
  const lines = readText(path, files).split('\n');
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index].trim();
    if (line === '' || line.startsWith('#')) continue;
    const place = `${path}:${index + 1}`;
    const words = splitArguments(line);
    if (words === undefined) throw configError(place, 'unbalanced quotes in configuration line');
    const [name, ...rest] = words;
    if (name.toLowerCase() === 'include') settings.push(...readIncluded(rest, place, files, depth));
    else settings.push({ name, words: rest, source: 'file', place });
  }
  return settings;
}

function readIncluded(words: readonly string[], place: string, files: Files, depth: number): Setting[] {
  if (words.length !== 1) throw configError(place, 'include takes the path of one file');
  if (depth >= CONFIG_INCLUDE_DEPTH_MAX) {
    throw configError(place, `more than ${CONFIG_INCLUDE_DEPTH_MAX} files include each other`);
  }
  const paths = /[*?[]/.test(words[0]) ? files.matchFiles(words[0]) : [words[0]];
  return paths.flatMap((path) => readConfigFile(path, files, depth + 1));
}

function readText(path: string, files: Files): string {
  try {
    return files.readFile(path);
  } catch (error) {
    throw configError(`config file ${path}`, error instanceof Error ? error.message : String(error));
  }
}
