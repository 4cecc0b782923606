/** Our own rules: each trips on a bad sample and not on a good one, and the tree itself is clean. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import {
  BANS,
  checkBan,
  checkHeader,
  checkLimitsUsed,
  checkLockFile,
  checkNamesUnique,
  checkSources,
  checkWorkerLength,
  type Finding,
} from '../scripts/tidy-rules.ts';
import { createSource, readSources } from '../scripts/tidy-source.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** A ban's rule, a path it holds for, a text it refuses there, and where the same text is at home. */
const BANNED: readonly [rule: string, path: string, text: string, home: string | undefined][] = [
  ['chance', 'src/shard/shard.ts', 'const n = Math.random();', 'src/base/random.ts'],
  ['chance', 'test/shard/shard.test.ts', 'const n = Math.random();', undefined],
  ['clock', 'src/net/turn.ts', 'const t = Date.now();', 'src/base/clock.ts'],
  ['clock', 'src/net/turn.ts', 'const t = performance.now();', 'test/net/turn.test.ts'],
  ['clock', 'workers/shard.ts', 'const t = process.hrtime.bigint();', 'src/base/clock.ts'],
  ['exit', 'src/server.ts', 'process.exit(1);', 'src/main.ts'],
  [
    'sleep',
    'test/a.test.ts',
    `await new Promise((resolve) => set${'Timeout'}(resolve, 10));`,
    'test/support/wait.ts',
  ],
  ['sleep', 'test/a.test.ts', `import { setTimeout } from 'node:timers${'/'}promises';`, 'src/net/turn.ts'],
  ['unfinished', 'src/server.ts', `// TO${'DO'}: later`, undefined],
  ['unfinished', 'test/a.test.ts', `// FIX${'ME'}`, undefined],
  ['silenced', 'src/server.ts', `// biome-${'ignore'} lint: because`, undefined],
  ['silenced', 'test/a.test.ts', `// @ts-${'ignore'}`, undefined],
  ['machine', 'bench/peers.ts', `const root = '/wo${'rk'}/main';`, undefined],
  ['machine', 'scripts/build.ts', `fetch('https://registry.${'npmjs'}.org/x')`, undefined],
];

describe('tidy bans', () => {
  it.each(BANNED)('%s: refused in %s: %s', (rule, path, text, home) => {
    expect(bansBroken(path, text)).toEqual([`${rule}:2`]);
    if (home !== undefined) expect(bansBroken(home, text)).toEqual([]);
  });

  it('has a sample for every ban', () => {
    expect(new Set(BANNED.map(([rule]) => rule))).toEqual(new Set(BANS.map((ban) => ban.rule)));
  });

  it.each([
    '// Math.random is not for us',
    '/** Not\n * Date.now either. */',
    "const text = 'Math.random';",
    'const text = `it is Math.random`;',
    "const quote = /'/; // Date.now",
    "const found = text.replace(/[/'\"]/g, '') + 'Math.random';",
  ])('a ban on code is deaf to comments and strings: %s', (text) => {
    expect(bansBroken('src/shard/shard.ts', text)).toEqual([]);
  });

  it.each([
    "const quote = /'/; const n = Math.random();",
    "const url = 'http://x'; const n = Math.random();",
    'const half = a / b; const n = Math.random(); const other = c / d;',
    'const text = `a // b`; const n = Math.random();',
  ])('a ban on code is not blinded by quotes and slashes: %s', (text) => {
    expect(bansBroken('src/shard/shard.ts', text)).toEqual(['chance:2']);
  });
});

describe('tidy headers', () => {
  it.each(['/** Owns the ring. */\n', '// Owns the ring.\n', '#!/usr/bin/env node\n// Owns the ring.\n'])(
    'a file may open with %j',
    (text) => expect(checkHeader(createSource('src/a.ts', text))).toEqual([]),
  );

  it.each(['export const A = 1;\n', "import { a } from './a.ts';\n\n/** Late. */\n", ''])(
    'a file may not open with %j',
    (text) => expect(rulesAndLines(checkHeader(createSource('src/a.ts', text)))).toEqual(['header:1']),
  );
});

describe('tidy worker entries', () => {
  it('stay under sixty lines', () => {
    expect(checkWorkerLength(createSource('workers/shard.ts', 'x;\n'.repeat(59)))).toEqual([]);
    expect(rulesAndLines(checkWorkerLength(createSource('workers/shard.ts', 'x;\n'.repeat(60))))).toEqual([
      'worker-length:1',
    ]);
  });

  it('are the only files with that bound', () => {
    expect(checkWorkerLength(createSource('src/net/turn.ts', 'x;\n'.repeat(60)))).toEqual([]);
  });
});

describe('tidy limits', () => {
  const limits = createSource('src/config/limits.ts', '/** Bounds. */\nexport const KEY_BYTES_MAX = 1;\n');

  it('must be read by the product', () => {
    const reader = createSource('src/shard/shard.ts', 'assert(bytes <= KEY_BYTES_MAX);');
    expect(checkLimitsUsed([limits, reader])).toEqual([]);
    expect(rulesAndLines(checkLimitsUsed([limits]))).toEqual(['limit-unused:2']);
  });

  it('may be there to build another one, but not to be asserted about', () => {
    const unit = '/** Bounds. */\nexport const MIB = 1;\n';
    const built = createSource('src/config/limits.ts', `${unit}export const KEY_BYTES_MAX = 2 * MIB;\n`);
    const asserted = createSource('src/config/limits.ts', `${unit}assert(MIB > 0, 'more than nothing');\n`);
    expect(rulesAndLines(checkLimitsUsed([built]))).toEqual(['limit-unused:3']);
    expect(rulesAndLines(checkLimitsUsed([asserted]))).toEqual(['limit-unused:2']);
  });

  it.each([
    ['test/shard/shard.test.ts', 'assert(bytes <= KEY_BYTES_MAX);'],
    ['src/shard/shard.ts', '// KEY_BYTES_MAX is not checked'],
    ['src/shard/shard.ts', 'assert(bytes <= OTHER_KEY_BYTES_MAX);'],
  ])('are not read by %s: %s', (path, text) => {
    expect(rulesAndLines(checkLimitsUsed([limits, createSource(path, text)]))).toEqual(['limit-unused:2']);
  });
});

describe('tidy names', () => {
  it('are exported by one file of src only', () => {
    const first = createSource('src/a.ts', 'export function encode() {}\nexport type Shape = 1;\n');
    const other = createSource('src/b.ts', '\nexport const encode = 1;\nfunction shape() {}\n');
    expect(rulesAndLines(checkNamesUnique([first, other]))).toEqual(['name-twice:2']);
  });

  it('may have overloads in their one file', () => {
    const source = createSource('src/a.ts', 'export function f(a: 1): 1;\nexport function f(a: 2): 2;\n');
    expect(checkNamesUnique([source])).toEqual([]);
  });
});

describe('tidy lock file', () => {
  it('names no host', () => {
    const bad = `{\n  "resolved": "https://registry.${'example'}.com/a.tgz"\n}`;
    expect(rulesAndLines(checkLockFile(bad))).toEqual(['registry:2']);
    expect(checkLockFile('{ "resolved": "scripts/runtime", "link": true }')).toEqual([]);
  });
});

describe('the tree', () => {
  it('is tidy', () => {
    expect(checkSources(readSources(ROOT)).map(sentence)).toEqual([]);
    expect(checkLockFile(readFileSync(`${ROOT}/package-lock.json`, 'utf8')).map(sentence)).toEqual([]);
  });
});

function bansBroken(path: string, text: string): string[] {
  const source = createSource(path, `/** A sample. */\n${text}\n`);
  return rulesAndLines(BANS.flatMap((ban) => checkBan(source, ban)));
}

function rulesAndLines(findings: readonly Finding[]): string[] {
  return findings.map(({ rule, line }) => `${rule}:${line}`);
}

function sentence({ path, line, rule, message }: Finding): string {
  return `${path}:${line} ${rule} ${message}`;
}
