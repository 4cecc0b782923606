/**
 * What users' rules can name: the categories, and every command of this server or of redis-server, with a place of its own in the
 * table of what a selector allows.
 *
 * One list per thread, made at its first use, never changed. The places are the same on all threads of the process: the commands
 * of this server have their ids, the others follow. Source: Redis 7.0 `acl.c`.
 */
import { assert } from '../base/assert.ts';
import { allCommands } from './registry.ts';
import type { CommandSpec } from './spec.ts';
import { REDIS_COMMANDS } from './tables/redis-commands.ts';

/** In the order in which redis-server names them, which decides between categories that describe a user equally well. */
export const CATEGORIES = [
  ...['keyspace', 'read', 'write', 'set', 'sortedset', 'list', 'hash', 'string', 'bitmap', 'hyperloglog'],
  ...['geo', 'stream', 'pubsub', 'admin', 'fast', 'slow', 'blocking', 'dangerous', 'connection'],
  ...['transaction', 'scripting'],
] as const;

export type NamedCommand = {
  /** In lower case; a subcommand's is `container|sub`. */
  readonly name: string;
  /** Which byte of a selector's table is its. */
  readonly place: number;
  readonly categories: readonly string[];
  /** Whether redis-server has it, too. */
  readonly isRedis: boolean;
  readonly isSubcommand: boolean;
  readonly subcommands: readonly NamedCommand[];
};

type KnownCommands = {
  readonly top: readonly NamedCommand[];
  readonly byName: ReadonlyMap<string, NamedCommand>;
  readonly byCategory: ReadonlyMap<string, readonly NamedCommand[]>;
  readonly count: number;
};

let known: KnownCommands | undefined;

/** Every command without its subcommands, in the order of their names. */
export function namedCommands(): readonly NamedCommand[] {
  return knownCommands().top;
}

/** How many places a selector's table has. */
export function namedCommandCount(): number {
  return knownCommands().count;
}

/** By its full name in any case: `get`, `config|get`. */
export function findNamedCommand(name: string): NamedCommand | undefined {
  return knownCommands().byName.get(name.toLowerCase());
}

/** The commands and subcommands of a category, each container before its own; undefined where there is no such category. */
export function commandsOfCategory(name: string): readonly NamedCommand[] | undefined {
  return knownCommands().byCategory.get(name.toLowerCase());
}

function knownCommands(): KnownCommands {
  known ??= collect();
  return known;
}

type Draft = { place: number; categories: readonly string[]; isRedis: boolean };

function collect(): KnownCommands {
  const drafts = new Map<string, Draft>();
  for (const { spec, id, subcommands } of allCommands()) {
    drafts.set(spec.name, draftOf(spec, id));
    for (const sub of subcommands?.values() ?? []) drafts.set(sub.spec.name, draftOf(sub.spec, sub.id));
  }
  assert(drafts.size > 0, 'the commands are installed');
  for (const { categories, names } of REDIS_COMMANDS) {
    for (const name of names.split(' ')) {
      const own = drafts.get(name);
      if (own === undefined) {
        drafts.set(name, { place: drafts.size, categories: categories.split(' '), isRedis: true });
      } else own.isRedis = true;
    }
  }
  return arrange(drafts);
}

function draftOf({ categories }: CommandSpec, place: number): Draft {
  return { place, categories, isRedis: false };
}

function arrange(drafts: ReadonlyMap<string, Draft>): KnownCommands {
  const byName = new Map<string, NamedCommand>();
  const children = new Map<string, NamedCommand[]>();
  const names = [...drafts.keys()].sort();
  const create = (name: string, subcommands: readonly NamedCommand[]): NamedCommand => {
    const isSubcommand = name.includes('|');
    const command = { name, isSubcommand, subcommands, ...(drafts.get(name) as Draft) };
    byName.set(name, command);
    return command;
  };
  for (const name of names.filter((name) => name.includes('|'))) {
    const container = name.slice(0, name.indexOf('|'));
    children.set(container, [...(children.get(container) ?? []), create(name, [])]);
  }
  const top = names
    .filter((name) => !name.includes('|'))
    .map((name) => create(name, children.get(name) ?? []));
  const all = top.flatMap((command) => [command, ...command.subcommands]);
  const byCategory = new Map<string, readonly NamedCommand[]>(
    CATEGORIES.map((category) => [category, all.filter(({ categories }) => categories.includes(category))]),
  );
  return { top, byName, byCategory, count: drafts.size };
}
