#!/usr/bin/env node
// The `distcache` command: refuses a too old Node in one line, otherwise starts the server in this process
// with the arguments as they came. Plain JavaScript, because it also has to run where TypeScript does not.
import { existsSync } from 'node:fs';
import { isSupportedNode, SUPPORTED_NODE } from './supported-node.mjs';

/** The exit code for a set-up that cannot work (EX_CONFIG of sysexits.h). */
const EXIT_CONFIG = 78;

if (isSupportedNode(process.versions.node)) {
  // A checkout runs its sources, so that a stale build is never started; the published package has only the build.
  const source = new URL('../src/main.ts', import.meta.url);
  const compiled = new URL('../dist/src/main.js', import.meta.url);
  await import((existsSync(source) ? source : compiled).href);
} else {
  process.stderr.write(`distcache needs Node.js ${SUPPORTED_NODE}; this is ${process.version}.\n`);
  process.exitCode = EXIT_CONFIG;
}
