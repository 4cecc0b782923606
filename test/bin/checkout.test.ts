/** What a start of a checkout runs: a bundle only of the very sources, and the sources where there is none. */
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cachedBundle, findBundle, keyOfSources, programOfCheckout } from '../../bin/checkout.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Of no bundler: its bundle is what the test says. */
const BUILD = 'scripts/build.ts';

let root: string;

beforeEach(() => {
  root = `${mkdtempSync(join(tmpdir(), 'distcache-checkout-'))}/`;
  place('src/main.ts', 'one');
  place('src/base/deep.ts', 'two');
  place('workers/shard.ts', 'three');
  place('scripts/bundle.ts', 'four');
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

function place(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

function placeBundle(folder: string, key: string): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'key'), key);
}

/** Lets the checkout have a bundler, and a build that runs `code` with `root` and `checkout` (bin/checkout.mjs). */
function placeBuild(code: string): void {
  mkdirSync(join(root, 'node_modules/rolldown'), { recursive: true });
  place('package.json', '{ "type": "module" }');
  cpSync(join(ROOT, 'bin'), join(root, 'bin'), { recursive: true });
  place(
    BUILD,
    `import * as checkout from '../bin/checkout.mjs';
    import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
    const root = ${JSON.stringify(root)};
    const folder = checkout.cachedBundle(root, checkout.keyOfSources(root));
    ${code}`,
  );
}

const MAKES_ONE = `mkdirSync(folder, { recursive: true }); writeFileSync(folder + '/key', checkout.keyOfSources(root));`;

describe('the key of the sources', () => {
  it.each<[string, () => void]>([
    ['a longer file', () => appendFileSync(join(root, 'src/base/deep.ts'), '!')],
    ['a file of the same size, changed later', () => utimesSync(join(root, 'workers/shard.ts'), 9, 9)],
    ['another name', () => renameSync(join(root, 'src/main.ts'), join(root, 'src/mein.ts'))],
    ['one more file', () => place('src/more.ts', '')],
    ['one file less', () => rmSync(join(root, 'src/base/deep.ts'))],
    ['another way to bundle', () => place('scripts/bundle.ts', 'fourth')],
    ['other packages', () => place('package-lock.json', '{}')],
  ])('changes with %s', (_name, change) => {
    const before = keyOfSources(root);
    expect(keyOfSources(root)).toBe(before);
    change();
    expect(keyOfSources(root)).not.toBe(before);
  });

  it('is the same wherever the checkout lies, and whatever else does', () => {
    const before = keyOfSources(root);
    const moved = `${root.slice(0, -1)}-moved/`;
    renameSync(root, moved);
    expect(keyOfSources(moved)).toBe(before);
    renameSync(moved, root);
    place('test/some.test.ts', '');
    expect(keyOfSources(root)).toBe(before);
  });
});

describe('a start of the checkout', () => {
  it('runs what npm run build has made of these sources', () => {
    placeBundle(`${root}dist`, keyOfSources(root));
    expect(programOfCheckout(root)).toEqual({
      main: `${root}dist/main.js`,
      compiledFolder: `${root}node_modules/.cache/distcache`,
    });
  });

  it('runs what an earlier start has made of these sources, whatever npm run build has made of others', () => {
    const folder = cachedBundle(root, keyOfSources(root));
    placeBundle(`${root}dist`, 'of-others');
    placeBundle(folder, keyOfSources(root));
    expect(programOfCheckout(root)).toEqual({
      main: `${folder}/main.js`,
      compiledFolder: `${folder}/compiled`,
    });
  });

  it.each<[string, () => void]>([
    ['none', () => undefined],
    ['a stale one', () => placeBundle(`${root}dist`, 'of-others')],
    ['one without a key, half made or half removed', () => mkdirSync(`${root}dist`)],
    ['one that is still being written', () => placeBundle(`${root}dist-aside-1`, keyOfSources(root))],
  ])('runs the sources where there is no bundler and of bundles %s', (_name, prepare) => {
    prepare();
    expect(programOfCheckout(root).main).toBe(`${root}src/main.ts`);
  });

  it('makes a bundle first where there is a bundler, once', () => {
    placeBuild(`${MAKES_ONE} appendFileSync(root + 'builds', 'x');`);
    const folder = cachedBundle(root, keyOfSources(root));
    expect(programOfCheckout(root).main).toBe(`${folder}/main.js`);
    place('scripts/build.ts', 'throw new Error("made again")');
    expect(programOfCheckout(root).main).toBe(`${folder}/main.js`);
  });

  it.each([
    ['fails', 'process.exit(1);'],
    [
      'makes one of sources that have changed meanwhile',
      `appendFileSync(root + 'src/main.ts', '!'); ${MAKES_ONE}`,
    ],
  ])('runs the sources where a build %s', (_name, code) => {
    placeBuild(code);
    expect(programOfCheckout(root).main).toBe(`${root}src/main.ts`);
  });

  it('runs the sources where nothing can be written', () => {
    placeBuild(MAKES_ONE);
    place('node_modules/.cache', 'no folder');
    expect(programOfCheckout(root).main).toBe(`${root}src/main.ts`);
  });

  it('runs the sources where they cannot be looked at', () => {
    symlinkSync('nowhere', join(root, 'src/dangling.ts'));
    expect(programOfCheckout(root).main).toBe(`${root}src/main.ts`);
    expect(existsSync(`${root}dist`)).toBe(false);
    expect(findBundle(root, 'any')).toBe(undefined);
  });
});
