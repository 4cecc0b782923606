/**
 * Our own rules about sources, each a small pure function from sources to findings. What Biome can say
 * (import borders, cycles, default exports, barrels, enums, long files and functions) stands in biome.json.
 */
import { lineOf, type Source } from './tidy-source.ts';

/** One broken rule, at a line from 1. */
export type Finding = { path: string; line: number; rule: string; message: string };

/** A text that must not appear, where it may, and what to write instead. */
export type Ban = {
  rule: string;
  pattern: RegExp;
  /** Where to look: code only, or comments and strings too. */
  within: 'code' | 'text';
  /** Paths that the ban holds for. */
  covers: RegExp;
  /** Paths that are the right home of what is banned elsewhere. */
  except?: RegExp;
  message: string;
};

const EVERYWHERE = /./;
const PRODUCT = /^(src|workers)\//;
const TEST_FILES = /^test\/.*\.test\.ts$/;
const WORKER_LINES_MAX = 60;
const LIMITS = ['src/config/limits.ts', 'src/config/limits-cluster.ts'];

export const BANS: readonly Ban[] = [
  {
    rule: 'chance',
    pattern: /\bMath\.random\b/g,
    within: 'code',
    covers: EVERYWHERE,
    except: /^src\/base\/random\.ts$/,
    message: 'take the random source of base/random as an argument',
  },
  {
    rule: 'clock',
    pattern: /\bDate\.now\b|\bnew Date\(\)|\bperformance\.now\b|\bhrtime\b/g,
    within: 'code',
    covers: PRODUCT,
    except: /^src\/base\/clock\.ts$/,
    message: 'take the time as an argument; only base/clock reads it',
  },
  {
    rule: 'exit',
    pattern: /\bprocess\.exit\(/g,
    within: 'code',
    covers: /^(src|workers|test)\//,
    except: /^src\/(main|base\/platform)\.ts$/,
    message:
      'return or throw a StartError; only main.ts ends the process (and base/platform a thread, for DEBUG)',
  },
  {
    rule: 'sleep',
    pattern: /new Promise[^\n]*\bsetTimeout\b|node:timers\/promises|\bsleep\(/g,
    within: 'text',
    covers: TEST_FILES,
    message: 'move the clock, or wait for the condition with a helper of test/support',
  },
  {
    rule: 'unfinished',
    pattern: /\b(?:TO[D]O|FIX[M]E|HA[C]K|XX[X])\b/g,
    within: 'text',
    covers: EVERYWHERE,
    message: 'finish it, or file an issue',
  },
  {
    rule: 'silenced',
    pattern: /biome-[i]gnore|@ts-[i]gnore|@ts-[e]xpect-error|eslint-[d]isable|v8 [i]gnore/g,
    within: 'text',
    covers: EVERYWHERE,
    message: 'mend what the checker found',
  },
  {
    rule: 'machine',
    pattern: /\/wor[k]\/|\/tm[p]\/(?:brief|proto)|registry\.[a-z]+\.(?:org|com)/g,
    within: 'text',
    covers: EVERYWHERE,
    message: 'a path or host of one machine; derive it or leave it out',
  },
];

/** Every rule over a tree of sources. */
export function checkSources(sources: readonly Source[]): Finding[] {
  return [
    ...sources.flatMap((source) => [
      ...checkHeader(source),
      ...checkWorkerLength(source),
      ...BANS.flatMap((ban) => checkBan(source, ban)),
    ]),
    ...checkLimitsUsed(sources),
    ...checkNamesUnique(sources),
  ];
}

/** A file opens with a comment that says what it owns. */
export function checkHeader(source: Source): Finding[] {
  const text = source.text.replace(/^#![^\n]*\n/, '');
  if (/^\s*\/[/*]/.test(text)) return [];
  return [finding(source, 0, 'header', 'open with a comment: what the file owns, on which thread it runs')];
}

/** The entries of threads hold no logic. */
export function checkWorkerLength(source: Source): Finding[] {
  const lines = source.text.trimEnd().split('\n').length;
  if (!source.path.startsWith('workers/') || lines < WORKER_LINES_MAX) return [];
  return [
    finding(
      source,
      0,
      'worker-length',
      `${lines} lines, the bound is under ${WORKER_LINES_MAX}: move it to src`,
    ),
  ];
}

export function checkBan(source: Source, ban: Ban): Finding[] {
  if (!ban.covers.test(source.path) || ban.except?.test(source.path)) return [];
  const searched = ban.within === 'code' ? source.code : source.text;
  return [...searched.matchAll(ban.pattern)].map((match) =>
    finding(source, match.index, ban.rule, `${match[0].trim()}: ${ban.message}`),
  );
}

/** A bound that neither the product nor another bound reads is dead; a test or an assertion about it does not count. */
export function checkLimitsUsed(sources: readonly Source[]): Finding[] {
  return sources
    .filter(({ path }) => LIMITS.includes(path))
    .flatMap((limits) => unusedLimits(limits, sources));
}

function unusedLimits(limits: Source, sources: readonly Source[]): Finding[] {
  const readers = sources.filter((source) => PRODUCT.test(source.path) && source !== limits);
  const declarations = limits.code.replace(/^assert\([\s\S]*?;$/gm, '');
  return exportedNames(limits)
    .filter(
      ({ name }) => mentions(declarations, name) < 2 && !readers.some(({ code }) => mentions(code, name) > 0),
    )
    .map(({ name, offset }) =>
      finding(limits, offset, 'limit-unused', `${name} bounds nothing: use it or drop it`),
    );
}

/** One name, one meaning: no two files of src export the same name. */
export function checkNamesUnique(sources: readonly Source[]): Finding[] {
  const homes = new Map<string, string>();
  const findings: Finding[] = [];
  for (const source of sources.filter((candidate) => candidate.path.startsWith('src/'))) {
    for (const { name, offset } of exportedNames(source)) {
      const home = homes.get(name) ?? source.path;
      homes.set(name, home);
      if (home !== source.path)
        findings.push(finding(source, offset, 'name-twice', `${name} is exported by ${home} too`));
    }
  }
  return findings;
}

/** The lock file works with any registry: it names none. */
export function checkLockFile(text: string): Finding[] {
  return [...text.matchAll(/"resolved": "[a-z+]+:\/\/[^"]*"/g)].map((match) => ({
    path: 'package-lock.json',
    line: lineOf(text, match.index),
    rule: 'registry',
    message: 'names a host; install with omit-lockfile-registry-resolved',
  }));
}

function exportedNames(source: Source): { name: string; offset: number }[] {
  const declared = /^export (?:async )?(?:const|let|function\*?|class|type|interface) ([\w$]+)/gm;
  return [...source.code.matchAll(declared)].map((match) => ({ name: match[1], offset: match.index }));
}

function mentions(code: string, name: string): number {
  return code.match(new RegExp(`\\b${name}\\b`, 'g'))?.length ?? 0;
}

function finding(source: Source, offset: number, rule: string, message: string): Finding {
  return { path: source.path, line: lineOf(source.text, offset), rule, message };
}
