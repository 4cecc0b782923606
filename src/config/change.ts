/**
 * CONFIG GET and CONFIG SET over a thread's Config: what redis-server 7.0 answers and refuses. Pure: checking and
 * applying are apart, so that a change can be checked on one thread and applied on all. Any thread.
 */
import { Buffer } from 'node:buffer';
import { globMatch } from '../base/glob.ts';
import type { Change, Config } from './config.ts';
import type { Directive, Parsed } from './directive.ts';
import { parseDirectiveValue } from './directive-values.ts';
import { directiveNames, findDirective } from './directives.ts';
import { checkClusterLog, checkMaxmemoryAtRunTime } from './relations.ts';

type Prepared = { readonly changes: Change[] } | { readonly error: string };

/**
 * Checks `pairs` of name and text for CONFIG SET: all of them or none. The changes are for applyDirectives on every
 * thread; the error is the whole reply, without the dash. `clientIsLocal` matters to protected directives only.
 */
export function prepareDirectives(
  config: Config,
  pairs: readonly (readonly [name: string, text: string])[],
  clientIsLocal: boolean,
): Prepared {
  const refusal = refusedName(config, pairs, clientIsLocal);
  if (refusal !== undefined) return { error: refusal };
  const changes: Change[] = [];
  for (const [name, text] of pairs) {
    const directive = findDirective(name);
    if (directive === undefined) return { error: unknownOption(name) };
    const parsed = parseChange(config, directive, text);
    if ('problem' in parsed) return { error: failure(name.toLowerCase(), parsed.problem) };
    changes.push([directive.name, parsed.text]);
  }
  return { changes };
}

/**
 * The directives that any of the patterns matches, with their canonical texts. A name without wildcards is answered
 * in the caller's own spelling; aliases are names too.
 */
export function getDirectives(config: Config, patterns: readonly string[]): [name: string, text: string][] {
  const found = new Map<string, string>();
  for (const pattern of patterns) {
    const names = /[[*?]/.test(pattern) ? namesLike(pattern) : [pattern];
    for (const name of names) {
      const directive = findDirective(name);
      if (directive !== undefined && !found.has(name)) found.set(name, config.texts[directive.name]);
    }
  }
  return [...found];
}

/** The first name that must not be set, as redis-server looks: all names before any value. */
function refusedName(
  config: Config,
  pairs: readonly (readonly [name: string, text: string])[],
  clientIsLocal: boolean,
): string | undefined {
  const seen = new Set<string>();
  for (const [name] of pairs) {
    const directive = findDirective(name);
    if (directive === undefined) return unknownOption(name);
    const problem = immutability(config, directive, clientIsLocal);
    if (problem !== undefined) return failure(name, problem);
    // An alias next to its primary name is no duplicate: the later one wins.
    if (seen.has(name.toLowerCase())) return failure(name, 'duplicate parameter');
    seen.add(name.toLowerCase());
  }
  return undefined;
}

function immutability(config: Config, directive: Directive, clientIsLocal: boolean): string | undefined {
  const { enableProtectedConfigs } = config;
  const allowed =
    enableProtectedConfigs === 'yes' || (enableProtectedConfigs === 'local' && clientIsLocal === true);
  if (directive.protected === true && !allowed) return "can't set protected config";
  return directive.mutable ? undefined : "can't set immutable config";
}

function parseChange(config: Config, directive: Directive, text: string): Parsed {
  const parsed = parseDirectiveValue(directive, text, config.texts[directive.name]);
  if ('problem' in parsed) return parsed;
  const problem = relationProblem(config, directive.name, parsed.text);
  return problem === undefined ? parsed : { problem };
}

function relationProblem(config: Config, name: string, text: string): string | undefined {
  if (name === 'appendonly') return checkClusterLog(config.clusterEnabled, text === 'yes');
  if (name !== 'maxmemory') return undefined;
  return checkMaxmemoryAtRunTime(Number(text), config.workers, config.maxmemoryReserved);
}

function namesLike(pattern: string): string[] {
  const patternBytes = Buffer.from(pattern);
  const names: string[] = [];
  for (const name of directiveNames()) {
    const bytes = Buffer.from(name);
    if (findDirective(name)?.hidden === true) continue;
    if (globMatch(patternBytes, 0, patternBytes.length, bytes, 0, bytes.length, true)) names.push(name);
  }
  return names;
}

function unknownOption(name: string): string {
  return `ERR Unknown option or number of arguments for CONFIG SET - '${name}'`;
}

function failure(name: string, problem: string): string {
  return `ERR CONFIG SET failed (possibly related to argument '${name}') - ${problem}`;
}
