#!/usr/bin/env node
// The `distcache` command: refuses a too old Node in one line, otherwise starts the server in this process
// with the arguments as they came. Plain JavaScript, because it also has to run where TypeScript does not.
import { existsSync } from 'node:fs';
import module from 'node:module';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { isSupportedNode, SUPPORTED_NODE } from './supported-node.mjs';

/** The exit code for a set-up that cannot work (EX_CONFIG of sysexits.h). */
const EXIT_CONFIG = 78;

if (isSupportedNode(process.versions.node)) {
  // A checkout runs its sources, so that a stale build is never started; the published package has only the build.
  const source = new URL('../src/main.ts', import.meta.url);
  const compiled = new URL('../dist/src/main.js', import.meta.url);
  const isCheckout = existsSync(source);
  if (isCheckout) keepCompiled();
  await import((isCheckout ? source : compiled).href);
} else {
  process.stderr.write(`distcache needs Node.js ${SUPPORTED_NODE}; this is ${process.version}.\n`);
  process.exitCode = EXIT_CONFIG;
}

/**
 * Keeps what Node makes of the sources, on all threads, from one start to the next: without it, taking the types out is half of
 * a start. In the checkout, since whoever may write the kept code may run anything here; where that cannot be written, nothing is kept.
 */
function keepCompiled() {
  const folder = fileURLToPath(new URL('../node_modules/.cache/distcache', import.meta.url));
  const { directory } = module.enableCompileCache(folder);
  // Threads that are started later look for it there.
  if (directory !== undefined) process.env.NODE_COMPILE_CACHE ??= folder;
}
