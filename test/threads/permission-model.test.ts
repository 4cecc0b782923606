/** Tests of what the server asks of Node's permission model, and of the real server under it. */
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { StartError } from '../../src/base/errors.ts';
import { type Permissions, requirePermissions } from '../../src/threads/permission-model.ts';
import { runDistcache, startDistcache } from '../support/distcache-server.ts';
import { openWire } from '../support/wire.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const NOTHING_KEPT = { appendonly: false, save: [] };

function permissionsOf(granted: readonly string[]): Permissions {
  return { has: (scope, reference) => granted.includes(`${scope} ${reference ?? ''}`.trim()) };
}

const ALL = [
  'worker',
  'net',
  `fs.read ${process.cwd()}`,
  `fs.write ${process.cwd()}`,
  'fs.read /proc/',
] as const;

describe('the permission model', () => {
  it('asks for nothing while it is off', () => {
    expect(() => requirePermissions({ appendonly: true, save: [] }, undefined)).not.toThrow();
  });

  it('lets a server start that keeps nothing and has all it needs', () => {
    expect(() => requirePermissions(NOTHING_KEPT, permissionsOf(ALL), 'linux')).not.toThrow();
  });

  it.each([
    ['worker', '--allow-worker'],
    ['net', '--allow-net'],
    [`fs.read ${process.cwd()}`, `--allow-fs-read=${process.cwd()}`],
    [`fs.write ${process.cwd()}`, `--allow-fs-write=${process.cwd()}`],
    ['fs.read /proc/', '--allow-fs-read=/proc/'],
  ])('names the flag that grants %s where it is missing', (scope, flag) => {
    const granted = ALL.filter((other) => other !== scope);
    const start = () => requirePermissions(NOTHING_KEPT, permissionsOf(granted), 'linux');
    expect(start).toThrow(new StartError(`node's permission model (--permission) lacks ${flag}`, 78));
  });

  it('needs no /proc where there is none', () => {
    const granted = ALL.filter((scope) => scope !== 'fs.read /proc/');
    expect(() => requirePermissions(NOTHING_KEPT, permissionsOf(granted), 'darwin')).not.toThrow();
  });

  it.each([[{ appendonly: true, save: [] }], [{ appendonly: false, save: [{ seconds: 60, changes: 1 }] }]])(
    'refuses %o, which could not be synced',
    (kept) => {
      expect(() => requirePermissions(kept, permissionsOf(ALL))).toThrow(/nothing can be kept/);
    },
  );
});

describe('the real server under the permission model', () => {
  /** What docs/security.md names. */
  const optionsFor = (folder: string) =>
    [
      '--permission',
      '--allow-worker',
      '--allow-net',
      `--allow-fs-read=${ROOT}/`,
      `--allow-fs-read=${realpathSync(join(ROOT, 'node_modules'))}/`,
      `--allow-fs-read=${folder}`,
      `--allow-fs-write=${folder}`,
      '--allow-fs-read=/proc/',
      '--allow-fs-read=/sys/fs/cgroup/',
    ].join(' ');

  it('serves RESP and HTTP as a cache that keeps nothing', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'distcache-permission-'));
    const flags = ['--appendonly', 'no', '--save', '', '--dir', folder];
    const server = await startDistcache(flags, { NODE_OPTIONS: optionsFor(folder) });
    const wire = await openWire(server.port);
    expect(await wire.ask('SET', 'a', '1')).toBe('+OK');
    expect(await wire.ask('GET', 'a')).toEqual('1');
    expect((await fetch(`http://127.0.0.1:${server.httpPort}/readyz`)).status).toBe(200);
    wire.close();
    expect(await server.stop()).toBe(0);
    rmSync(folder, { recursive: true, force: true });
  });

  it('says at the start that it cannot keep anything, and how to go on', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'distcache-permission-'));
    const { code, stderr } = await runDistcache(['--port', '0', '--http-port', '0', '--dir', folder], {
      NODE_OPTIONS: optionsFor(folder),
    });
    expect(code).toBe(78);
    expect(stderr).toContain("--appendonly no --save ''");
    rmSync(folder, { recursive: true, force: true });
  });
});
