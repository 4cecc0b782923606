/**
 * The import borders of biome.json, tried on a tree of bad files: every folder importing every folder and every
 * guarded module, and the linter's refusals compared with the map.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const BIOME = fileURLToPath(import.meta.resolve('@biomejs/biome/bin/biome'));

const LOW = ['base', 'config', 'resp', 'routing', 'metrics', 'shard', 'collections', 'resilience'];
const MIDDLE = [...LOW, 'commands', 'durability'];

/** Which folders of src each folder may import. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  base: [],
  config: ['base'],
  resp: ['base', 'config'],
  routing: ['base', 'config'],
  metrics: ['base', 'config', 'shard'],
  // A shard and its collections are one memory: each knows the other.
  shard: ['base', 'collections', 'config', 'metrics', 'routing'],
  collections: ['base', 'config', 'shard'],
  resilience: ['base', 'config', 'metrics'],
  commands: LOW,
  durability: LOW.filter((folder) => folder !== 'resp'),
  threads: MIDDLE,
  cluster: [...MIDDLE, 'threads'],
  net: [...MIDDLE, 'threads', 'cluster'],
  admin: [...MIDDLE, 'threads', 'cluster'],
};
const FOLDERS = Object.keys(MAY_IMPORT);

/** Modules with one home, and the files that may import them. */
const GUARDED: Readonly<Record<string, readonly string[]>> = {
  'node:fs': ['src/config/any.ts', 'src/durability/storage.ts'],
  'node:fs/promises': ['src/config/any.ts', 'src/durability/storage.ts'],
  'node:net': ['src/net/any.ts', 'src/cluster/any.ts'],
  'node:tls': ['src/net/any.ts', 'src/cluster/any.ts'],
  fastify: ['src/admin/any.ts'],
  piscina: ['src/threads/jobs.ts'],
};
const ATOMICS_HOMES = [
  'src/shard/lock.ts',
  'src/durability/log-board.ts',
  'src/metrics/any.ts',
  'src/threads/any.ts',
  'src/threads/jobs.ts',
  'src/resilience/any.ts',
];

/** Every file of the tree of bad files: one per folder, and those with rights of their own. */
const FILES = [
  ...FOLDERS.map((folder) => `src/${folder}/any.ts`),
  'src/shard/lock.ts',
  'src/threads/jobs.ts',
  'src/durability/storage.ts',
  'src/durability/log-board.ts',
];

let tree: string;
let refused: Map<string, Set<string>>;

beforeAll(() => {
  tree = mkdtempSync(join(tmpdir(), 'distcache-borders-'));
  writeFileSync(`${tree}/biome.json`, readFileSync(`${ROOT}/biome.json`));
  for (const path of FILES) write(path, badFile());
  write(
    'src/server.ts',
    "import { a } from './net/any.ts';\nimport { b } from '../workers/shard.ts';\nf(a, b);\n",
  );
  write(
    'workers/shard.ts',
    "import { a } from '../src/net/any.ts';\nimport { b } from './job.ts';\nf(a, b);\n",
  );
  write('src/base/circle.ts', "import { b } from './circle-back.ts';\nexport const a = () => b;\n");
  write('src/base/circle-back.ts', "import { a } from './circle.ts';\nexport const b = () => a;\n");
  refused = lintTree();
});

afterAll(() => rmSync(tree, { recursive: true, force: true }));

describe('import borders', () => {
  it.each(FILES)('%s may import the folders below it and no other', (path) => {
    const own = path.split('/')[1];
    const allowed = FOLDERS.filter((folder) => !refusals(path).has(`../${folder}/any.ts`));
    expect(allowed.filter((folder) => folder !== own).sort()).toEqual([...MAY_IMPORT[own]].sort());
  });

  it.each(Object.keys(GUARDED))('%s has its homes and no other', (module) => {
    expect(FILES.filter((path) => !refusals(path).has(module)).sort()).toEqual([...GUARDED[module]].sort());
  });

  it('Atomics have their homes and no other', () => {
    expect(FILES.filter((path) => !refusals(path).has('Atomics')).sort()).toEqual([...ATOMICS_HOMES].sort());
  });

  it('nobody imports a thread entry, not even another entry', () => {
    expect([...refusals('src/server.ts')]).toEqual(['../workers/shard.ts']);
    expect(refusals('workers/shard.ts')).toContain('./job.ts');
    expect(refusals('workers/shard.ts')).not.toContain('../src/net/any.ts');
    expect(FILES.filter((path) => !refusals(path).has('../../workers/shard.ts'))).toEqual([]);
  });

  it('files do not import in a circle', () => {
    expect([...refusals('src/base/circle.ts')]).toEqual(['circle ./circle-back.ts']);
    expect([...refusals('src/base/circle-back.ts')]).toEqual(['circle ./circle.ts']);
  });
});

/** One import per line of everything that is guarded, and one use of Atomics. */
function badFile(): string {
  const paths = [
    ...FOLDERS.map((folder) => `../${folder}/any.ts`),
    ...Object.keys(GUARDED),
    '../../workers/shard.ts',
  ];
  return `${paths.map((path, index) => `import { a as a${index} } from '${path}';`).join('\n')}\nf(Atomics);\n`;
}

function write(path: string, text: string): void {
  mkdirSync(join(tree, path, '..'), { recursive: true });
  writeFileSync(join(tree, path), text);
}

/** What the linter refused by path: imports, names of globals, and imports that close a circle. */
function lintTree(): Map<string, Set<string>> {
  const options = ['lint', '--reporter=json', '--max-diagnostics=none'];
  const linted = spawnSync(process.execPath, [BIOME, ...options], { cwd: tree, encoding: 'utf8' });
  const found = new Map<string, Set<string>>();
  for (const { location, category } of JSON.parse(linted.stdout).diagnostics) {
    const path: string = location.path;
    const line = readFileSync(join(tree, path), 'utf8').split('\n')[location.start.line - 1];
    const name = /'(.*)'/.exec(line)?.[1] ?? 'Atomics';
    const names = found.get(path) ?? new Set();
    if (/noRestricted(Imports|Globals)$/.test(category)) names.add(name);
    if (category.endsWith('noImportCycles')) names.add(`circle ${name}`);
    found.set(path, names);
  }
  return found;
}

function refusals(path: string): Set<string> {
  return refused.get(path) ?? new Set();
}
