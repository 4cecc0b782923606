/**
 * `npm run build`: compiles src and workers into dist, in the layout of the checkout, for the published
 * package (Node strips no types from files under node_modules). Files that are not TypeScript are copied.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, rmSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const COMPILER = fileURLToPath(import.meta.resolve('typescript/package.json')).replace(
  'package.json',
  'bin/tsc',
);

rmSync(`${ROOT}/dist`, { recursive: true, force: true });
const compiled = spawnSync(process.execPath, [COMPILER, '-p', 'tsconfig.build.json'], {
  cwd: ROOT,
  stdio: 'inherit',
});
if (compiled.status === 0) cpSync(`${ROOT}/src`, `${ROOT}/dist/src`, { recursive: true, filter: isAsset });
else process.exitCode = 1;

function isAsset(path: string): boolean {
  return statSync(path).isDirectory() || !path.endsWith('.ts');
}
