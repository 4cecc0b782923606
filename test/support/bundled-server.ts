/**
 * The server bundled, as starts of the checkout have it: most tests start that, without a look at the sources each time. Runs in
 * vitest's own process, before all tests, and again when a watched file has changed.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';
import { makeCachedBundle } from '../../scripts/bundle.ts';
import { BUNDLED_MAIN } from './server-main.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export async function setup(project: TestProject): Promise<void> {
  // Once for all projects.
  if (process.env[BUNDLED_MAIN] !== undefined) return;
  await bundleOrTell();
  project.onTestsRerun(bundleOrTell);
}

/** Sources that cannot be bundled are started as they are, so that tests that start no server run all the same. */
async function bundleOrTell(): Promise<void> {
  try {
    process.env[BUNDLED_MAIN] = join(await makeCachedBundle(ROOT), 'main.js');
  } catch (error) {
    delete process.env[BUNDLED_MAIN];
    process.stderr.write(`the server is not bundled for the tests: ${(error as Error).message}\n`);
  }
}
