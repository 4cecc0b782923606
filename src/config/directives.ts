/**
 * The table of all directives and how to find one: the single source behind the configuration file, flags,
 * environment, CONFIG GET/SET/REWRITE and docs/configuration.md. Any thread.
 */
import { assert } from '../base/assert.ts';
import type { Directive } from './directive.ts';
import { parseDirectiveValue } from './directive-values.ts';
import { CLUSTER_DIRECTIVES } from './directives-cluster.ts';
import { COLLECTION_DIRECTIVES } from './directives-collections.ts';
import { DURABILITY_DIRECTIVES } from './directives-durability.ts';
import { MEMORY_DIRECTIVES } from './directives-memory.ts';
import { NETWORK_DIRECTIVES } from './directives-network.ts';
import { SERVER_DIRECTIVES } from './directives-server.ts';
import { STORED_DIRECTIVES } from './directives-stored.ts';
import { TLS_DIRECTIVES } from './directives-tls.ts';

export const ENVIRONMENT_PREFIX = 'DISTCACHE_';

/** Old names that redis-server still reads in a file, without any effect. */
export const DEPRECATED_NAMES: readonly string[] = [
  'list-max-ziplist-entries',
  'list-max-ziplist-value',
  'lua-replicate-commands',
];

/** The directives that have a typed field in Config. */
export const TYPED_DIRECTIVES = [
  ...NETWORK_DIRECTIVES,
  ...TLS_DIRECTIVES,
  ...MEMORY_DIRECTIVES,
  ...COLLECTION_DIRECTIVES,
  ...DURABILITY_DIRECTIVES,
  ...CLUSTER_DIRECTIVES,
  ...SERVER_DIRECTIVES,
] as const;

export const DIRECTIVES: readonly Directive[] = [...TYPED_DIRECTIVES, ...STORED_DIRECTIVES];

const byName = new Map<string, Directive>();
for (const directive of DIRECTIVES) {
  for (const name of [directive.name, directive.alias ?? directive.name]) {
    assert(!byName.has(name) || byName.get(name) === directive, `directive '${name}' is in the table once`);
    byName.set(name, directive);
  }
}

/** Finds by name or alias, in any case. */
export function findDirective(name: string): Directive | undefined {
  return byName.get(name.toLowerCase());
}

/** Every name that can be asked for, aliases included, in the order of the table. */
export function directiveNames(): IterableIterator<string> {
  return byName.keys();
}

/** The canonical text of the default; not for the directives whose default is computed at start. */
export function defaultText(directive: Directive): string {
  assert(directive.computed === undefined, `the default of '${directive.name}' is fixed`);
  const parsed = parseDirectiveValue(directive, directive.default, '');
  assert('text' in parsed, `the default of '${directive.name}' is allowed`);
  return parsed.text;
}

/** The environment variable that sets a directive: `maxmemory-policy` is DISTCACHE_MAXMEMORY_POLICY. */
export function environmentName(directive: Directive): string {
  return ENVIRONMENT_PREFIX + directive.name.replaceAll('-', '_').toUpperCase();
}

/** What a value may be, in words for error messages, help and docs. */
export function allowedValues(directive: Directive): string {
  const range = `${directive.min} to ${directive.max}`;
  switch (directive.type) {
    case 'int':
      return `a whole number, ${range}`;
    case 'octal':
      return `an octal number, 0 to ${Number(directive.max).toString(8)}`;
    case 'memory':
      return 'a size such as 1048576, 100mb or 2gb';
    case 'memory-or-percent':
      return 'a size such as 100mb, or a percentage such as 5%';
    case 'bool':
      return 'yes or no';
    case 'enum':
      return `one of ${directive.values?.join(', ')}`;
    case 'flags':
      return `some of ${directive.values?.join(', ')}`;
    case 'string':
      return 'text';
    case 'list':
      return 'words with spaces between';
    case 'save':
      return 'pairs of seconds and changes, or ""';
    case 'output-limits':
      return 'groups of normal|replica|pubsub, hard limit, soft limit, seconds';
    case 'key-events':
      return 'letters out of KEg$lshzxetdmnA';
    case 'percentiles':
      return 'numbers from 0 to 100';
    case 'oom-scores':
      return 'three whole numbers, -2000 to 2000';
    case 'master-address':
      return 'host and port, or no one';
  }
}
