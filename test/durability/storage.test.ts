/** What the server does to folders and files, in a temporary folder. */
import { Buffer } from 'node:buffer';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StartError } from '../../src/base/errors.ts';
import {
  createDiskStorage,
  enterFolder,
  removeStaleSocket,
  setPermissions,
} from '../../src/durability/storage.ts';

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

describe('the disk', () => {
  const storage = createDiskStorage();
  const inFolder = (name: string): string => join(folder, name);

  it('makes a file that is not there yet, and no other', () => {
    const fd = storage.createFile(inFolder('file'));
    expect(storage.size(fd)).toBe(0);
    expect(storage.linkCount(fd)).toBe(1);
    storage.close(fd);
    expect(() => storage.createFile(inFolder('file'))).toThrow(expect.objectContaining({ code: 'EEXIST' }));
  });

  it('opens what is there without a change to it', () => {
    expect(() => storage.openRead(inFolder('file'))).toThrow(expect.objectContaining({ code: 'ENOENT' }));
    expect(() => storage.openWrite(inFolder('file'))).toThrow(expect.objectContaining({ code: 'ENOENT' }));
    writeFileSync(inFolder('file'), 'bytes');
    const reading = storage.openRead(inFolder('file'));
    expect(() => storage.write(reading, Buffer.from('x'), 0, 1, 0)).toThrow(
      expect.objectContaining({ code: 'EBADF' }),
    );
    storage.close(reading);
    const writing = storage.openWrite(inFolder('file'));
    storage.write(writing, Buffer.from('-YT-'), 1, 3, 1);
    storage.close(writing);
    expect(readFileSync(inFolder('file'), 'utf8')).toBe('bYTes');
  });

  it('reads and writes parts of buffers at any position, shared memory too', () => {
    const fd = storage.createFile(inFolder('file'));
    const shared = Buffer.from(new SharedArrayBuffer(16));
    shared.write('0123456789abcdef');
    storage.write(fd, shared, 4, 12, 3);
    const target = Buffer.alloc(20, '.');
    expect(storage.read(fd, target, 2, 20, 1)).toBe(10);
    expect(target.toString('latin1')).toBe('..\0\x00456789ab........');
    expect(storage.read(fd, target, 0, 4, 5)).toBe(4);
    expect(target.toString('latin1', 0, 5)).toBe('67894');
    expect(storage.read(fd, target, 0, 4, 11)).toBe(0);
    expect(storage.read(fd, target, 3, 3, 0)).toBe(0);
    storage.close(fd);
  });

  it('cuts a file, and fills it with zeros', () => {
    const fd = storage.createFile(inFolder('file'));
    storage.write(fd, Buffer.from('abc'), 0, 3, 0);
    storage.truncate(fd, 1);
    storage.truncate(fd, 3);
    expect(storage.size(fd)).toBe(3);
    storage.sync(fd);
    storage.close(fd);
    expect(readFileSync(inFolder('file'), 'latin1')).toBe('a\0\0');
  });

  it('syncs off the thread, and tells when it could not', async () => {
    const fd = storage.createFile(inFolder('file'));
    const error = await new Promise<Error | undefined>((resolve) => storage.syncLater(fd, resolve));
    expect(error).toBeUndefined();
    storage.close(fd);
    const failed = await new Promise<Error | undefined>((resolve) => storage.syncLater(fd, resolve));
    expect(failed).toMatchObject({ code: 'EBADF' });
  });

  it('names, links, lists and removes', () => {
    storage.makeFolder(inFolder('deep/folder'));
    storage.makeFolder(inFolder('deep/folder'));
    const fd = storage.createFile(inFolder('deep/folder/b'));
    storage.link(inFolder('deep/folder/b'), inFolder('deep/folder/a'));
    expect(storage.linkCount(fd)).toBe(2);
    expect(() => storage.link(inFolder('deep/folder/b'), inFolder('deep/folder/a'))).toThrow(
      expect.objectContaining({ code: 'EEXIST' }),
    );
    expect(storage.list(inFolder('deep/folder'))).toEqual(['a', 'b']);
    storage.rename(inFolder('deep/folder/b'), inFolder('deep/c'));
    storage.syncFolder(inFolder('deep/folder'));
    expect(storage.exists(inFolder('deep/folder/b'))).toBe(false);
    expect(storage.exists(inFolder('deep/folder'))).toBe(true);
    storage.remove(inFolder('deep/c'));
    storage.remove(inFolder('deep/folder/a'));
    expect(storage.linkCount(fd)).toBe(0);
    storage.close(fd);
    expect(() => storage.remove(inFolder('deep/c'))).toThrow(expect.objectContaining({ code: 'ENOENT' }));
    expect(storage.list(inFolder('none'))).toEqual([]);
    expect(() => storage.list(inFolder('deep/folder/a/b'))).not.toThrow();
  });

  it('syncs folders, and nothing else', () => {
    writeFileSync(inFolder('file'), '');
    expect(() => storage.syncFolder(inFolder('file'))).toThrow(expect.objectContaining({ code: 'ENOTDIR' }));
    expect(() => storage.syncFolder(inFolder('none'))).toThrow(expect.objectContaining({ code: 'ENOENT' }));
    expect(() => storage.list(inFolder('file'))).toThrow(expect.objectContaining({ code: 'ENOTDIR' }));
  });

  it('knows the start of the machine, where the system tells', () => {
    expect(storage.bootId()).toMatch(process.platform === 'linux' ? /^[0-9a-f-]{36}$/ : /^$/);
  });

  it.runIf(process.platform === 'linux')('reads files whose length the kernel does not tell', () => {
    const fd = storage.openRead('/proc/self/stat');
    const target = Buffer.alloc(4096);
    const length = storage.read(fd, target, 0, target.length, 0);
    storage.close(fd);
    expect(target.toString('latin1', 0, length)).toMatch(/^\d+ \(/);
  });

  it.runIf(process.platform === 'linux')('says that there is no space as the kernel does', () => {
    const fd = storage.openWrite('/dev/full');
    expect(() => storage.write(fd, Buffer.from('x'), 0, 1, 0)).toThrow(
      expect.objectContaining({ code: 'ENOSPC' }),
    );
    storage.close(fd);
  });
});
