/** Making the bundle: all or nothing of it is there, and it is made once for each state of the sources. */
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { findBundle, keyOfSources } from '../../bin/checkout.mjs';
import { makeBundle, makeCachedBundle } from '../../scripts/bundle.ts';

/** Each with its source map. */
const PROGRAMS = ['job.js', 'main-lazy.js', 'main-shared.js', 'main.js', 'shard.js'];
const OTHERS = ['dashboard', 'key', 'package.json'];
const FILES = [...OTHERS, ...PROGRAMS.flatMap((name) => [name, `${name}.map`])].sort();

let root: string;

beforeEach(() => {
  root = `${mkdtempSync(join(tmpdir(), 'distcache-bundle-'))}/`;
  place('src/limits.ts', 'export const KEYS_MAX: number[] = [7];');
  place(
    'src/lazy.ts',
    `import { KEYS_MAX } from './limits.ts'; export const twice = () => KEYS_MAX.length * Math.PI;`,
  );
  place(
    'src/main.ts',
    `import { KEYS_MAX } from './limits.ts'; export const lazy = () => import('./lazy.ts'); export const max = () => KEYS_MAX.length * Math.E;`,
  );
  place('src/admin/dashboard/index.html', '<html>');
  place('src/admin/dashboard/shapes.d.ts', 'export type Shape = number;');
  for (const name of ['shard', 'job'])
    place(
      `workers/${name}.ts`,
      `import { KEYS_MAX } from '../src/limits.ts'; import { Piscina } from 'piscina'; export default [KEYS_MAX, Piscina];`,
    );
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

function place(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

it('one file for each thread, with what main loads later in others, and packages left where they are', async () => {
  await makeBundle(root, `${root}dist`);
  expect(readdirSync(`${root}dist`).sort()).toEqual(FILES);
  expect(readdirSync(`${root}dist/dashboard`)).toEqual(['index.html']);
  const shard = readFileSync(`${root}dist/shard.js`, 'utf8');
  expect([...shard.matchAll(/from "(.*)"/g)].map(([, name]) => name)).toEqual(['piscina']);
  const { sources, sourcesContent } = JSON.parse(readFileSync(`${root}dist/shard.js.map`, 'utf8'));
  expect([sources, sourcesContent ?? []]).toEqual([['../src/limits.ts', '../workers/shard.ts'], []]);
  expect(findBundle(root, keyOfSources(root))).toBe(`${root}dist`);
  // Others than who has built may read it.
  expect(statSync(`${root}dist`).mode & 0o500).toBe(0o500);
  expect(statSync(`${root}dist`).mode & 0o777).toBe(statSync(`${root}dist/dashboard`).mode & 0o777);
});

it('what was made of these sources is left alone, what was made of others is replaced', async () => {
  await makeBundle(root, `${root}dist`);
  writeFileSync(`${root}dist/mark`, '');
  await makeBundle(root, `${root}dist`);
  expect(existsSync(`${root}dist/mark`)).toBe(true);

  appendFileSync(join(root, 'src/limits.ts'), 'export const more = 1;');
  expect(findBundle(root, keyOfSources(root))).toBe(undefined);
  await makeBundle(root, `${root}dist`);
  expect(readdirSync(`${root}dist`).sort()).toEqual(FILES);
  expect(findBundle(root, keyOfSources(root))).toBe(`${root}dist`);
});

it('several starts at once make one, and leave nothing beside it', async () => {
  const folders = await Promise.all([makeCachedBundle(root), makeCachedBundle(root), makeCachedBundle(root)]);
  expect(new Set(folders).size).toBe(1);
  expect(basename(folders[0])).toBe(keyOfSources(root));
  expect(readdirSync(folders[0]).sort()).toEqual(FILES);
  expect(readdirSync(dirname(folders[0]))).toEqual([basename(folders[0])]);
});

it('sources that cannot be bundled leave what is there, and nothing half made', async () => {
  await makeBundle(root, `${root}dist`);
  place('src/limits.ts', 'export const KEYS_MAX = ;');
  await expect(makeBundle(root, `${root}dist`)).rejects.toThrow();
  expect(readdirSync(`${root}dist`).sort()).toEqual(FILES);
  expect(readdirSync(root).filter((name) => name.startsWith('dist'))).toEqual(['dist']);
});

it('sources that change meanwhile are not bundled: it would be a bundle of neither state', async () => {
  const making = makeBundle(root, `${root}dist`);
  appendFileSync(join(root, 'src/limits.ts'), 'export const more = 1;');
  await expect(making).rejects.toThrow('the sources have changed');
  expect(existsSync(`${root}dist`)).toBe(false);
});

it('of those that starts have made, the last eight are kept, and all of the last hour', async () => {
  const made = await makeCachedBundle(root);
  const parent = dirname(made);
  const madeMs = statSync(made).mtimeMs;
  for (let age = 1; age <= 9; age += 1) {
    mkdirSync(join(parent, `old-${age}`));
    utimesSync(join(parent, `old-${age}`), madeMs / 1000 - age, madeMs / 1000 - age);
  }
  await makeCachedBundle(root, madeMs);
  expect(readdirSync(parent)).toHaveLength(10);
  await makeCachedBundle(root, madeMs + 3_600_000);
  const kept = ['old-1', 'old-2', 'old-3', 'old-4', 'old-5', 'old-6', 'old-7'];
  expect(readdirSync(parent).sort()).toEqual([basename(made), ...kept].sort());
});
