/** The pages written by hand: what they link to and the files that they name are there. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const PAGES = ['README.md', ...globSync('docs/**/*.md', { cwd: ROOT })];

const LINK = /\]\((?!https?:)([^)#]+)[^)]*\)/g;
/** `src/shard/lock.ts`, or without `src/`: `shard/lock.ts`. */
const SOURCE_FILE = /`((?:[a-z-]+\/)+[a-z-]+\.(?:ts|mjs|json))`/g;

it.each(PAGES)('%s links to pages that there are', (page) => {
  const text = readFileSync(join(ROOT, page), 'utf8');
  const missing = [...text.matchAll(LINK)].filter(
    ([, target]) => !existsSync(join(ROOT, dirname(page), target)),
  );
  expect(missing.map(([, target]) => target)).toEqual([]);
});

it.each(PAGES)('%s names files that there are', (page) => {
  const text = readFileSync(join(ROOT, page), 'utf8');
  const names = [...text.matchAll(SOURCE_FILE)].map(([, name]) => name);
  const missing = names.filter(
    (name) => !existsSync(join(ROOT, name)) && !existsSync(join(ROOT, 'src', name)),
  );
  expect(missing).toEqual([]);
});
