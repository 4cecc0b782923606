/**
 * `npm run tidy`: our own rules over the whole tree, one `file:line rule message` per finding, exit code 1 if
 * there is any. `test/tidy.test.ts` runs the same rules, so the tests fail where this does.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { checkLockFile, checkSources } from './tidy-rules.ts';
import { readSources } from './tidy-source.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const findings = [
  ...checkSources(readSources(root)),
  ...checkLockFile(readFileSync(`${root}/package-lock.json`, 'utf8')),
];
for (const { path, line, rule, message } of findings) console.log(`${path}:${line} ${rule} ${message}`);
if (findings.length > 0) process.exitCode = 1;
