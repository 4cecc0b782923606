/** What the server does to folders and files, in a temporary folder. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StartError } from '../../src/base/errors.ts';
import { enterFolder, removeStaleSocket, setPermissions } from '../../src/durability/storage.ts';

const ROOT_USER = 0;

let folder: string;
let former: string;

beforeEach(() => {
  former = process.cwd();
  folder = mkdtempSync(join(tmpdir(), 'distcache-storage-'));
});

afterEach(() => {
  process.chdir(former);
  rmSync(folder, { recursive: true, force: true });
});

describe('entering a folder', () => {
  it('makes it the current one', () => {
    enterFolder(folder);
    expect(statSync('.').ino).toBe(statSync(folder).ino);
  });

  it('that is missing, or no folder, is a StartError of one line', () => {
    const file = join(folder, 'file');
    writeFileSync(file, '');
    expect(() => enterFolder(join(folder, 'missing'))).toThrow(
      /missing' \(dir\): no such file or directory$/,
    );
    expect(() => enterFolder(file)).toThrow(/file' \(dir\): not a directory$/);
    expect(() => enterFolder(file)).toThrow(StartError);
  });

  it('that may not be written to is refused, unless this user may all the same', () => {
    const sealed = join(folder, 'sealed');
    mkdirSync(sealed);
    chmodSync(sealed, 0o500);
    if (process.getuid?.() === ROOT_USER) expect(() => enterFolder(sealed)).not.toThrow();
    else expect(() => enterFolder(sealed)).toThrow(/\(dir\): permission denied$/);
  });
});

describe('a Unix socket of a dead server', () => {
  it('is removed; nothing there is fine', async () => {
    const path = join(folder, 'stale.sock');
    removeStaleSocket(path);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(path, resolve));
    removeStaleSocket(path);
    expect(statSync(path, { throwIfNoEntry: false })).toBeUndefined();
    server.close();
  });

  it('is never mistaken for a file, a folder or a link', () => {
    const file = join(folder, 'file');
    writeFileSync(file, 'precious');
    symlinkSync(file, join(folder, 'link'));
    for (const name of ['file', 'link', '.']) {
      expect(() => removeStaleSocket(join(folder, name))).toThrow('which is no socket');
    }
    expect(statSync(file).size).toBe(8);
  });
});

it('permissions are set to the bit', () => {
  const file = join(folder, 'file');
  writeFileSync(file, '');
  for (const mode of [0o600, 0o777, 0o640]) {
    setPermissions(file, mode);
    expect(statSync(file).mode & 0o777).toBe(mode);
  }
});
