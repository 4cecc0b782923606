/**
 * The server in a dozen files instead of hundreds, which halves the work of a start; most tests start that. Runs in vitest's own process,
 * before all tests, and again when a watched file has changed.
 *
 * Lies in a folder that is named after its contents, so that runs at the same time do not change each other's, in the layout of the
 * checkout: the threads' entries in `workers`, all else two folders below the root.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type OutputChunk, rolldown } from 'rolldown';
import type { TestProject } from 'vitest/node';
import { BUNDLED_MAIN } from './server-main.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** Found from there are the packages that the server needs. */
const BUNDLES = join(ROOT, 'node_modules/.cache/distcache-test');
const INNER = 'src/bundled';
const ENTRIES = {
  [`${INNER}/main`]: 'src/main.ts',
  'workers/shard': 'workers/shard.ts',
  'workers/job': 'workers/job.ts',
};

export async function setup(project: TestProject): Promise<void> {
  // Once for all projects.
  if (process.env[BUNDLED_MAIN] !== undefined) return;
  await bundleOrTell();
  project.onTestsRerun(bundleOrTell);
}

/** Sources that cannot be bundled are started as they are, so that tests that start no server run all the same. */
async function bundleOrTell(): Promise<void> {
  try {
    await bundle();
  } catch (error) {
    delete process.env[BUNDLED_MAIN];
    process.stderr.write(`the server is not bundled for the tests: ${(error as Error).message}\n`);
  }
}

async function bundle(): Promise<void> {
  const chunks = await bundledChunks();
  const hash = createHash('sha256').update(
    JSON.stringify(chunks.map(({ fileName, code }) => [fileName, code])),
  );
  const folder = join(BUNDLES, hash.digest('hex').slice(0, 16));
  if (!existsSync(folder)) place(chunks, folder);
  process.env[BUNDLED_MAIN] = join(folder, INNER, 'main.js');
}

async function bundledChunks(): Promise<OutputChunk[]> {
  const build = await rolldown({ cwd: ROOT, input: ENTRIES, platform: 'node', external: /^[^./]/ });
  const { output } = await build.generate({
    format: 'esm',
    entryFileNames: '[name].js',
    chunkFileNames: `${INNER}/[name].js`,
  });
  await build.close();
  return output.filter((file) => file.type === 'chunk');
}

/** Writes it aside and renames it: another run may do the same. */
function place(chunks: readonly OutputChunk[], folder: string): void {
  mkdirSync(BUNDLES, { recursive: true });
  const aside = mkdtempSync(`${folder}-`);
  writeFileSync(join(aside, 'package.json'), '{ "type": "module" }');
  for (const { fileName, code } of chunks) {
    mkdirSync(dirname(join(aside, fileName)), { recursive: true });
    writeFileSync(join(aside, fileName), code);
  }
  symlinkSync(join(ROOT, 'src/admin/dashboard'), join(aside, INNER, 'dashboard'));
  try {
    renameSync(aside, folder);
  } catch (error) {
    rmSync(aside, { recursive: true });
    if (!existsSync(folder)) throw error;
  }
}
