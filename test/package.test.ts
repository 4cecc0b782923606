/**
 * The published package: what `npm pack` puts in it, and that it runs from a node_modules folder, where there are no sources and Node
 * strips no types. Needs no network: the dependencies are those of the checkout, linked beside the package.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isSupportedNode } from '../bin/supported-node.mjs';
import { freePort } from './support/redis-server.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const LAUNCHER = join(ROOT, 'bin/distcache.mjs');
const PACK_MS_MAX = 60_000;
const EXIT_CONFIG = 78;

/** Stands for an old Node on machines that have none. */
const PRETENDING_20 =
  'data:text/javascript,Object.defineProperty(process,"versions",{value:{node:"20.20.2"}})';

let folder: string;
let installed: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'distcache-package-'));
  installed = join(folder, 'node_modules/distcache');
  mkdirSync(installed, { recursive: true });
  execFileSync('npm', ['pack', '--pack-destination', folder], { cwd: ROOT, encoding: 'utf8', stdio: 'pipe' });
  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz')) ?? 'no tarball';
  execFileSync('tar', ['-xzf', join(folder, tarball), '-C', installed, '--strip-components=1']);
  linkDependencies();
}, PACK_MS_MAX);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the package', () => {
  it('carries the launcher and the bundle, and no sources or tests', () => {
    const paths = readdirSync(installed, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(installed.length + 1));
    const expected = [
      'bin/distcache.mjs',
      'dist/dashboard/index.html',
      'dist/job.js',
      'dist/main.js',
      'dist/shard.js',
      'LICENSE',
      'README.md',
    ];
    expect(paths).toEqual(expect.arrayContaining(expected));
    expect(paths.filter((path) => !/^(bin|dist)\/|^(package\.json|README\.md|LICENSE)$/.test(path))).toEqual(
      [],
    );
    expect(paths.filter((path) => path.endsWith('.ts'))).toEqual([]);
  });

  it('serves, the dashboard too, and stops when told to', async () => {
    const socketPath = join(folder, 'distcache.sock');
    const httpPort = await freePort();
    const flags = ['--port', '0', '--http-port', `${httpPort}`, '--workers', '1', '--maxmemory', '64mb'];
    const server = spawn(
      process.execPath,
      [join(installed, 'bin/distcache.mjs'), ...flags, '--unixsocket', socketPath],
      {
        cwd: folder,
      },
    );
    const ended = exitCodeOf(server);
    await outputContaining(server, 'ready');
    expect(await ask(socketPath, 'PING\r\n')).toBe('+PONG\r\n');
    for (const path of ['', 'assets/main.js', 'assets/theme.css', 'assets/uplot.js']) {
      const response = await fetch(`http://127.0.0.1:${httpPort}/${path}`);
      expect([path, response.status, (await response.text()).length > 500]).toEqual([path, 200, true]);
    }
    server.kill('SIGTERM');
    expect(await ended).toBe(0);
  });
});

describe('the launcher', () => {
  it.each([
    ['a pretended 20.20.2', process.execPath, ['--import', PRETENDING_20]],
    ...oldNodes().map((path): [string, string, string[]] => [path, path, []]),
  ])('refuses a too old Node in one line: %s', (_name, node, options) => {
    const refused = spawnSync(node, [...options, LAUNCHER, '--port', '0'], { encoding: 'utf8' });
    expect(refused.stderr).toMatch(
      /^distcache needs Node\.js 24\.20 or newer of 24, or 26\.6 or newer; this is v[\d.]+\.\n$/,
    );
    expect(refused.stdout).toBe('');
    expect(refused.status).toBe(EXIT_CONFIG);
  });

  it('keeps what Node makes of the sources beside them, on all threads', () => {
    const checkout = makeCheckout('kept');
    const kept = join(checkout, 'node_modules/.cache/distcache/');
    expect(keptBy(checkout)).toEqual([expect.stringContaining(kept), expect.stringContaining(kept)]);
  });

  it('runs the sources all the same where nothing can be kept', () => {
    const checkout = makeCheckout('unkept');
    mkdirSync(join(checkout, 'node_modules'));
    writeFileSync(join(checkout, 'node_modules/.cache'), 'no folder');
    expect(keptBy(checkout)).toEqual(['undefined', 'undefined']);
  });
});

/** A checkout whose program tells where its threads keep compiled code: main first. */
function makeCheckout(name: string): string {
  const checkout = join(folder, name);
  cpSync(join(ROOT, 'bin'), join(checkout, 'bin'), { recursive: true });
  mkdirSync(join(checkout, 'src'));
  writeFileSync(join(checkout, 'package.json'), '{ "type": "module" }');
  writeFileSync(
    join(checkout, 'src/main.ts'),
    `import { getCompileCacheDir } from 'node:module';
    import { isMainThread, Worker } from 'node:worker_threads';
    process.stdout.write(\`\${getCompileCacheDir()}\\n\`);
    if (isMainThread) new Worker(new URL(import.meta.url));`,
  );
  return checkout;
}

function keptBy(checkout: string): string[] {
  const { NODE_COMPILE_CACHE: _, NODE_DISABLE_COMPILE_CACHE: __, ...env } = process.env;
  const ran = spawnSync(process.execPath, [join(checkout, 'bin/distcache.mjs')], { encoding: 'utf8', env });
  return ran.stdout.trim().split('\n');
}

function linkDependencies(): void {
  const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  for (const name of Object.keys(dependencies)) {
    const link = join(folder, 'node_modules', name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules', name), link, 'dir');
  }
}

/** The Nodes on the PATH that are too old, if any. */
function oldNodes(): string[] {
  const paths = (process.env.PATH ?? '').split(delimiter).map((directory) => join(directory, 'node'));
  return [...new Set(paths)].filter((path) => {
    const version = spawnSync(path, ['--version'], { encoding: 'utf8' }).stdout;
    return typeof version === 'string' && version !== '' && !isSupportedNode(version.trim().slice(1));
  });
}

function exitCodeOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => child.once('exit', resolve));
}

/** Resolves once the child has printed the word, and rejects with all it said when it ends before. */
function outputContaining(child: ChildProcess, word: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let output = '';
    const collect = (chunk: Buffer) => {
      output += chunk.toString();
      if (output.includes(word)) resolve();
    };
    child.stdout?.on('data', collect);
    child.stderr?.on('data', collect);
    child.once('exit', (code) => reject(new Error(`ended with ${code} before it was ${word}: ${output}`)));
  });
}

/** The first answer to one request over a unix socket. */
function ask(socketPath: string, request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath, () => socket.write(request));
    socket.once('error', reject);
    socket.once('data', (answer) => {
      socket.destroy();
      resolve(answer.toString());
    });
  });
}
