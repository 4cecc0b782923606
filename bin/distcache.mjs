#!/usr/bin/env node
// The `distcache` command: refuses a too old Node in one line, otherwise starts the server in this process
// with the arguments as they came. Plain JavaScript, because it also has to run where TypeScript does not.
import { existsSync } from 'node:fs';
import module from 'node:module';
import process from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { isSupportedNode, SUPPORTED_NODE } from './supported-node.mjs';

/** The exit code for a set-up that cannot work (EX_CONFIG of sysexits.h). */
const EXIT_CONFIG = 78;
const ROOT = fileURLToPath(new URL('..', import.meta.url));

if (isSupportedNode(process.versions.node)) {
  await import(pathToFileURL(await chooseProgram()).href);
} else {
  process.stderr.write(`distcache needs Node.js ${SUPPORTED_NODE}; this is ${process.version}.\n`);
  process.exitCode = EXIT_CONFIG;
}

/** The published package has only its bundle. */
async function chooseProgram() {
  if (!existsSync(`${ROOT}src/main.ts`)) return `${ROOT}dist/main.js`;
  const { programOfCheckout } = await import('./checkout.mjs');
  const { main, compiledFolder } = programOfCheckout(ROOT);
  keepCompiled(compiledFolder);
  return main;
}

/**
 * Keeps what Node makes of the program, on all threads, from one start to the next. In the checkout, since whoever may write
 * the kept code may run anything here; where that cannot be written, nothing is kept.
 *
 * @param {string} folder
 */
function keepCompiled(folder) {
  const { directory } = module.enableCompileCache(folder);
  // Threads that are started later look for it there.
  if (directory !== undefined) process.env.NODE_COMPILE_CACHE ??= folder;
}
