/**
 * The server in one file for each kind of thread, made by rolldown: main (with a few more, which it loads when it needs them), shard
 * and job, beside them the dashboard's files. V8 folds the constants of one module but not those that a module imports, and one file
 * starts sooner than hundreds (docs/decisions/0038). What lies in node_modules stays there.
 *
 * A bundle is a folder with all of that and with the key of its sources (bin/checkout.mjs). It is written aside and renamed, so
 * whoever finds it finds all of it.
 */
import { randomUUID } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { type OutputOptions, rolldown } from 'rolldown';
import { cachedBundle, hasKey, KEY_FILE, keyOfSources } from '../bin/checkout.mjs';

/** One file each: what they exported to another would again not be folded. */
const THREAD_ENTRIES = ['shard', 'job'];
/** What main loads only where it is wanted has files of its own, and what it shares with these is one more. */
const SPLIT: OutputOptions['codeSplitting'] = { groups: [{ name: 'shared', minShareCount: 2 }] };
/** So many states of the sources are kept, and all that are not older than this: a server may still need them, or a run of tests. */
const CACHED_MAX = 8;
const CACHED_AGE_MS_MIN = 3_600_000;

/** By file name. */
type Texts = ReadonlyMap<string, string>;

/** Makes the bundle of the sources as they are now where starts of the checkout look for it, unless it is there. Returns its folder. */
export async function makeCachedBundle(root: string, nowMs = Date.now()): Promise<string> {
  const folder = cachedBundle(root, keyOfSources(root));
  await makeBundle(root, folder);
  dropOldest(dirname(folder), nowMs);
  return folder;
}

/** Makes the bundle at `folder`, in place of what is there, unless that has been made of these very sources. Throws where they change meanwhile. */
export async function makeBundle(root: string, folder: string): Promise<void> {
  const key = keyOfSources(root);
  if (hasKey(folder, key)) return;
  const texts = await bundleThreads(root, folder);
  if (keyOfSources(root) !== key) throw new Error('the sources have changed while they were bundled');
  const aside = `${folder}-aside-${randomUUID()}`;
  mkdirSync(aside, { recursive: true });
  try {
    for (const [name, text] of texts) writeFileSync(join(aside, name), text);
    cpSync(join(root, 'src/admin/dashboard'), join(aside, 'dashboard'), { recursive: true, filter: isAsset });
    writeFileSync(join(aside, 'package.json'), '{ "type": "module" }\n');
    writeFileSync(join(aside, KEY_FILE), key);
    putInPlace(aside, folder, key);
  } finally {
    rmSync(aside, { recursive: true, force: true });
  }
}

async function bundleThreads(root: string, folder: string): Promise<Texts> {
  const main = bundleThread(root, 'src/main.ts', { codeSplitting: SPLIT, dir: folder });
  const others = THREAD_ENTRIES.map((name) =>
    bundleThread(root, `workers/${name}.ts`, { codeSplitting: false, dir: folder }),
  );
  return new Map((await Promise.all([main, ...others])).flatMap((texts) => [...texts]));
}

/** Writes nothing: the folder is only what the places in the source maps are relative to. */
async function bundleThread(root: string, source: string, options: OutputOptions): Promise<Texts> {
  const build = await rolldown({ cwd: root, input: source, platform: 'node', external: /^[^./]/ });
  const { output } = await build.generate({
    ...options,
    format: 'esm',
    entryFileNames: '[name].js',
    chunkFileNames: 'main-[name].js',
    sourcemap: true,
    sourcemapExcludeSources: true,
  });
  await build.close();
  return new Map(
    output.map((file) => [file.fileName, file.type === 'chunk' ? file.code : String(file.source)]),
  );
}

function isAsset(path: string): boolean {
  return !path.endsWith('.ts');
}

/** Others may do the same at the same time; one of them wins. */
function putInPlace(aside: string, folder: string, key: string): void {
  if (hasKey(folder, key)) return;
  const replaced = `${aside}-replaced`;
  try {
    if (existsSync(folder)) renameSync(folder, replaced);
    renameSync(aside, folder);
  } catch (error) {
    if (!hasKey(folder, key)) throw error;
  } finally {
    rmSync(replaced, { recursive: true, force: true });
  }
}

function dropOldest(parent: string, nowMs: number): void {
  const newestFirst = readdirSync(parent)
    .map((name) => join(parent, name))
    .map((path) => ({ path, madeMs: statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
    .sort((a, b) => b.madeMs - a.madeMs);
  const dropped = newestFirst.slice(CACHED_MAX).filter(({ madeMs }) => madeMs < nowMs - CACHED_AGE_MS_MIN);
  for (const { path } of dropped) rmSync(path, { recursive: true, force: true });
}
