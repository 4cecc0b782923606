// Which program a checkout runs: the server bundled (scripts/bundle.ts) of the sources as they are now, or these sources themselves
// where there is no such bundle and none can be made. Never a bundle of other sources. Plain JavaScript, like all of a start.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import process from 'node:process';

/** The folders and files that a bundle depends on. */
const INGREDIENTS = ['src', 'workers', 'scripts/bundle.ts', 'package-lock.json'];
/** The file of a bundle that says what it was made of. */
export const KEY_FILE = 'key';
/** Some 0.5 s are usual. */
const BUILD_MS_MAX = 30_000;

/**
 * The file to run, and where what Node makes of it may be kept. Some 6 ms where a bundle is fresh; makes one first where none is,
 * in a process of its own, so that nothing of it stays in the server's.
 *
 * @param {string} root the checkout, with a slash at its end
 * @returns {{ main: string, compiledFolder: string }}
 */
export function programOfCheckout(root) {
  const compiledFolder = `${root}node_modules/.cache/distcache`;
  const folder = bundleOfCheckout(root);
  if (folder === undefined) return { main: `${root}src/main.ts`, compiledFolder };
  // Beside the bundle, because it goes with it.
  const isCached = folder !== `${root}dist`;
  return { main: `${folder}/main.js`, compiledFolder: isCached ? `${folder}/compiled` : compiledFolder };
}

/** @param {string} root */
function bundleOfCheckout(root) {
  try {
    const key = keyOfSources(root);
    return findBundle(root, key) ?? (makeBundle(root) ? findBundle(root, key) : undefined);
  } catch {
    // Sources that may not be looked at (node --permission) or that change in this moment: Node says better what is wrong.
    return undefined;
  }
}

/**
 * What all sources of a bundle are known by: changes with any name, size or time of change. Costs some 5 ms; their contents would
 * cost some 15.
 *
 * @param {string} root
 * @returns {string}
 */
export function keyOfSources(root) {
  const hash = createHash('sha256');
  for (const path of INGREDIENTS.flatMap((ingredient) => filesOf(root, ingredient))) {
    const { size, mtimeMs } = statSync(root + path);
    hash.update(`${path}\0${size}\0${mtimeMs}\n`);
  }
  return hash.digest('hex').slice(0, 16);
}

/**
 * @param {string} root
 * @param {string} path
 * @returns {string[]}
 */
function filesOf(root, path) {
  if (!existsSync(root + path)) return [];
  if (!statSync(root + path).isDirectory()) return [path];
  return readdirSync(root + path, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) =>
      entry.isDirectory() ? filesOf(root, `${path}/${entry.name}`) : `${path}/${entry.name}`,
    );
}

/**
 * Where a start keeps the bundle that it makes: a folder for each state of the sources, so that a server that runs finds the
 * entries of its threads when the sources have gone on.
 *
 * @param {string} root
 * @param {string} key
 * @returns {string}
 */
export function cachedBundle(root, key) {
  return `${root}node_modules/.cache/distcache-bundles/${key}`;
}

/**
 * The folder of the bundle with that key: what `npm run build` made, or an earlier start.
 *
 * @param {string} root
 * @param {string} key
 * @returns {string | undefined}
 */
export function findBundle(root, key) {
  return [`${root}dist`, cachedBundle(root, key)].find((folder) => hasKey(folder, key));
}

/**
 * Whether there is a bundle, and with that key.
 *
 * @param {string} folder
 * @param {string} key
 * @returns {boolean}
 */
export function hasKey(folder, key) {
  const file = `${folder}/${KEY_FILE}`;
  return existsSync(file) && readFileSync(file, 'utf8') === key;
}

/** @param {string} root */
function makeBundle(root) {
  if (!existsSync(`${root}node_modules/rolldown`)) return false;
  // The options are meant for the server: a debugger's port, permissions.
  const { NODE_OPTIONS: _, ...env } = process.env;
  const built = spawnSync(process.execPath, [`${root}scripts/build.ts`, '--cached'], {
    env,
    stdio: 'ignore',
    timeout: BUILD_MS_MAX,
  });
  return built.status === 0;
}
