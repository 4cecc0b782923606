/** The simulated disk: it must forget, tear and fail as a real one may, and keep what a real one must. */
import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import type { Storage } from '../../src/durability/storage-types.ts';
import { createRandom } from '../support/seeded-random.ts';
import { createSimulatedDisk, DiskStopped, type SimulatedDisk } from '../support/simulated-disk.ts';

const SEEDS = 400;

function put(disk: Storage, fd: number, position: number, text: string): void {
  const bytes = Buffer.from(text);
  disk.write(fd, bytes, 0, bytes.length, position);
}

function text(disk: SimulatedDisk, path: string): string {
  return disk.contents(path).toString('latin1');
}

/** What a file is found to be after power cuts with many seeds; `-` where it is gone. */
function fates(disk: SimulatedDisk, path: string): Set<string> {
  const found = new Set<string>();
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const after = disk.crash(createRandom(seed));
    found.add(after.exists(path) ? text(after, path) : '-');
  }
  return found;
}

/** A disk with one file of these bytes, all of it certain. */
function diskWith(path: string, bytes: string): SimulatedDisk {
  const disk = createSimulatedDisk();
  disk.place(path, Buffer.from(bytes));
  return disk;
}

describe('files of the simulated disk', () => {
  it('are written, read, cut and grown as the kernel does it', () => {
    const disk = createSimulatedDisk();
    const fd = disk.createFile('file');
    put(disk, fd, 2, 'abcdef');
    expect(text(disk, './file')).toBe('\0\0abcdef');
    put(disk, fd, 4, 'XY');
    expect(text(disk, 'file')).toBe('\0\0abXYef');
    disk.truncate(fd, 5);
    disk.truncate(fd, 7);
    expect(text(disk, 'file')).toBe('\0\0abX\0\0');
    expect(disk.size(fd)).toBe(7);
    const target = Buffer.alloc(10, 1);
    expect(disk.read(fd, target, 1, 4, 3)).toBe(3);
    expect(target.toString('latin1')).toBe('\x01bX\0\x01\x01\x01\x01\x01\x01');
    expect(disk.read(fd, target, 0, 10, 5)).toBe(2);
    expect(disk.read(fd, target, 0, 10, 50)).toBe(0);
  });

  it('and their trouble has the codes of the kernel', () => {
    const disk = diskWith('folder/file', 'x');
    expect(() => disk.openRead('none')).toThrow(/^ENOENT/);
    expect(() => disk.openRead('folder')).toThrow(/^EISDIR/);
    expect(() => disk.createFile('folder/file')).toThrow(/^EEXIST/);
    expect(() => disk.createFile('none/file')).toThrow(/^ENOENT/);
    expect(() => disk.makeFolder('folder/file')).toThrow(/^EEXIST/);
    expect(() => disk.rename('none', 'other')).toThrow(/^ENOENT/);
    expect(() => disk.link('folder/file', 'folder/file')).toThrow(/^EEXIST/);
    expect(() => disk.syncFolder('none')).toThrow(/^ENOENT/);
    expect(() => put(disk, disk.openRead('folder/file'), 0, 'y')).toThrow(/^EBADF/);
    const fd = disk.openWrite('folder/file');
    disk.close(fd);
    expect(() => disk.size(fd)).toThrow(/^EBADF/);
    expect(disk.list('none')).toEqual([]);
    try {
      disk.remove('none');
    } catch (error) {
      expect(error).toMatchObject({ code: 'ENOENT', errno: -2 });
    }
  });

  it('have as many names as links', () => {
    const disk = createSimulatedDisk();
    const fd = disk.createFile('a');
    disk.link('a', 'b');
    expect(disk.linkCount(fd)).toBe(2);
    disk.rename('b', 'a');
    expect(disk.list('.')).toEqual(['a', 'b']);
    disk.remove('a');
    disk.rename('b', 'c');
    expect(disk.linkCount(fd)).toBe(1);
    disk.remove('c');
    expect(disk.linkCount(fd)).toBe(0);
    put(disk, fd, 0, 'still written');
    expect(disk.size(fd)).toBe(13);
  });

  it('of a lost folder have no name, and none can be made there', () => {
    const disk = createSimulatedDisk();
    disk.makeFolder('worker-000');
    const fd = disk.createFile('worker-000/wal');
    disk.syncFolder('.');
    disk.syncFolder('worker-000');
    disk.loseFolder('worker-000');
    expect(disk.linkCount(fd)).toBe(0);
    expect(() => disk.createFile('worker-000/next')).toThrow(/^ENOENT/);
    expect(() => disk.syncFolder('worker-000')).toThrow(/^ENOENT/);
    expect(fates(disk, 'worker-000')).toEqual(new Set(['-']));
  });
});

describe('after a power cut', () => {
  it('what was synced is there, and the machine has started anew', () => {
    const disk = createSimulatedDisk();
    disk.makeFolder('deep/folder');
    const fd = disk.createFile('deep/folder/file');
    put(disk, fd, 0, 'kept');
    disk.sync(fd);
    disk.syncFolder('deep/folder');
    disk.syncFolder('deep');
    disk.syncFolder('.');
    expect(fates(disk, 'deep/folder/file')).toEqual(new Set(['kept']));
    const after = disk.crash(createRandom(1));
    expect(after.bootId()).toHaveLength(36);
    expect(after.bootId()).not.toBe(disk.bootId());
    expect(() => after.size(fd)).toThrow(/^EBADF/);
  });

  it('a synced file whose name was not may have vanished, and a name may have a file without its bytes', () => {
    const disk = createSimulatedDisk();
    const fd = disk.createFile('file');
    put(disk, fd, 0, 'bytes');
    disk.sync(fd);
    expect(fates(disk, 'file')).toEqual(new Set(['-', 'bytes']));
    const other = createSimulatedDisk();
    put(other, other.createFile('file'), 0, 'b');
    other.syncFolder('.');
    const found = fates(other, 'file');
    expect(found).toContain('');
    expect(found).toContain('\0');
    expect(found).toContain('b');
    expect(found).not.toContain('-');
  });

  it('a file vanishes with a folder that was not synced above it', () => {
    const disk = createSimulatedDisk();
    disk.makeFolder('folder');
    disk.createFile('folder/file');
    disk.syncFolder('folder');
    expect(fates(disk, 'folder/file')).toEqual(new Set(['-', '']));
  });

  it('a rename may be undone until its folder is synced, never half done', () => {
    const disk = diskWith('old', 'x');
    disk.place('new', Buffer.from('y'));
    disk.rename('old', 'new');
    const found = new Set<string>();
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const after = disk.crash(createRandom(seed));
      found.add(
        after
          .list('.')
          .map((name) => name + text(after, name))
          .join(),
      );
    }
    expect(found).toEqual(new Set(['newx', 'newy,oldx']));
    disk.syncFolder('.');
    expect(fates(disk, 'new')).toEqual(new Set(['x']));
    expect(fates(disk, 'old')).toEqual(new Set(['-']));
  });

  it('a removal may be undone until its folder is synced', () => {
    const disk = diskWith('file', 'x');
    disk.remove('file');
    expect(fates(disk, 'file')).toEqual(new Set(['-', 'x']));
    disk.syncFolder('.');
    expect(fates(disk, 'file')).toEqual(new Set(['-']));
  });

  it('an unsynced write is there, absent, torn at any byte, at either end, zeros, or with a flipped bit', () => {
    const disk = diskWith('file', '----');
    put(disk, disk.openWrite('file'), 0, 'abcdef');
    const found = fates(disk, 'file');
    for (const fate of ['----', 'abcdef', 'a---', 'ab--', 'abc-', 'abcd', 'abcde', '----ef', '----\0\0']) {
      expect(found, fate).toContain(fate);
    }
    expect([...found].some((fate) => /[^abcdef\0-]/.test(fate))).toBe(true);
    for (const fate of found) expect([4, 5, 6]).toContain(fate.length);
  });

  it('a later write may be there though an earlier one is not', () => {
    const disk = diskWith('file', '');
    const fd = disk.openWrite('file');
    put(disk, fd, 0, 'a');
    put(disk, fd, 1, 'b');
    const found = fates(disk, 'file');
    for (const fate of ['', 'a', 'ab', '\0b']) expect(found, fate).toContain(fate);
  });

  it('a cut of a file may be undone until it is synced', () => {
    const disk = diskWith('file', 'abc');
    const fd = disk.openWrite('file');
    disk.truncate(fd, 1);
    expect(fates(disk, 'file')).toEqual(new Set(['abc', 'a']));
    disk.sync(fd);
    expect(fates(disk, 'file')).toEqual(new Set(['a']));
  });

  it('flipped bits lie in unsynced bytes only', () => {
    const disk = diskWith('file', 'synced');
    put(disk, disk.openWrite('file'), 6, 'unsynced');
    for (const fate of fates(disk, 'file')) expect(fate.startsWith('synced')).toBe(true);
  });

  it('the same seed finds the same', () => {
    const disk = createSimulatedDisk();
    const fd = disk.createFile('file');
    for (let at = 0; at < 20; at += 1) put(disk, fd, at * 3, 'xyz');
    disk.syncFolder('.');
    expect(text(disk.crash(createRandom(7)), 'file')).toBe(text(disk.crash(createRandom(7)), 'file'));
    expect(fates(disk, 'file').size).toBeGreaterThan(SEEDS / 10);
  });
});

describe('after the death of a process', () => {
  it('everything is there, and as uncertain as it was', () => {
    const disk = createSimulatedDisk();
    put(disk, disk.createFile('file'), 0, 'bytes');
    const after = disk.kill();
    expect(text(after, 'file')).toBe('bytes');
    expect(after.bootId()).toBe(disk.bootId());
    expect(fates(after, 'file')).toContain('-');
    const fd = after.openWrite('file');
    expect(after.linkCount(fd)).toBe(1);
    after.sync(fd);
    after.syncFolder('.');
    expect(fates(after, 'file')).toEqual(new Set(['bytes']));
    expect(fates(disk, 'file')).toContain('-');
  });

  it('stopped at an operation: those before it are done, it is not, and nothing works any more', () => {
    const disk = createSimulatedDisk();
    disk.stopAt(2);
    const fd = disk.createFile('a');
    put(disk, fd, 0, 'x');
    expect(disk.size(fd)).toBe(1);
    expect(() => disk.rename('a', 'b')).toThrow(DiskStopped);
    for (const call of [
      () => disk.size(fd),
      () => disk.exists('a'),
      () => disk.list('.'),
      () => disk.close(fd),
      () => disk.sync(fd),
      () => disk.syncLater(fd, () => undefined),
      () => disk.createFile('c'),
    ]) {
      expect(call).toThrow(DiskStopped);
    }
    expect(disk.kill().list('.')).toEqual(['a']);
    expect(disk.operationCount()).toBe(2);
  });

  it('stopped at a write, that is cut at any byte', () => {
    const found = new Set<string>();
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const disk = createSimulatedDisk(seed);
      disk.stopAt(1);
      const fd = disk.createFile('file');
      expect(() => put(disk, fd, 0, 'abcd')).toThrow(DiskStopped);
      found.add(text(disk.kill(), 'file'));
    }
    expect([...found].sort()).toEqual(['', 'a', 'ab', 'abc', 'abcd']);
  });
});

describe('a failing disk', () => {
  it('fails as often as it is told, then works', () => {
    const disk = createSimulatedDisk();
    disk.failNext('createFile', 'EROFS', 2);
    expect(() => disk.createFile('file')).toThrow(/^EROFS/);
    expect(() => disk.createFile('file')).toThrow(/^EROFS/);
    put(disk, disk.createFile('file'), 0, 'works');
  });

  it('leaves a part of a failed write', () => {
    const found = new Set<string>();
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const disk = createSimulatedDisk(seed);
      const fd = disk.createFile('file');
      disk.failNext('write', 'EIO');
      expect(() => put(disk, fd, 0, 'ab')).toThrow(/^EIO/);
      found.add(text(disk, 'file'));
    }
    expect([...found].sort()).toEqual(['', 'a', 'ab']);
  });

  it('that is full writes what fits, overwrites, and has space again after a removal', () => {
    const disk = createSimulatedDisk();
    disk.setFreeBytes(5);
    const fd = disk.createFile('file');
    put(disk, fd, 0, 'abc');
    expect(() => put(disk, fd, 3, 'defg')).toThrow(/^ENOSPC/);
    expect(text(disk, 'file')).toBe('abcde');
    put(disk, fd, 0, 'ABCDE');
    const next = disk.kill();
    expect(() => put(next, next.openWrite('file'), 5, 'x')).toThrow(/^ENOSPC/);
    disk.truncate(fd, 3);
    put(disk, fd, 3, 'xy');
    disk.remove('file');
    put(disk, disk.createFile('next'), 0, 'abcde');
  });

  it('forgets what a failed sync was to put on the disk, and the next sync says nothing of it', () => {
    const disk = diskWith('file', 'ab');
    const fd = disk.openWrite('file');
    put(disk, fd, 2, 'cd');
    disk.failNext('sync');
    expect(() => disk.sync(fd)).toThrow(/^EIO/);
    expect(text(disk, 'file')).toBe('abcd');
    expect(fates(disk, 'file')).toContain('abcd');
    put(disk, fd, 4, 'ef');
    disk.sync(fd);
    expect(text(disk, 'file')).toBe('abcdef');
    expect(fates(disk, 'file')).toEqual(new Set(['ab\0\0ef']));
  });
});

describe('a sync that is asked for', () => {
  it('is done when it is pumped, and only for what was written before', () => {
    const disk = diskWith('file', '');
    const fd = disk.openWrite('file');
    const told: (Error | undefined)[] = [];
    put(disk, fd, 0, 'a');
    disk.syncLater(fd, (error) => told.push(error));
    put(disk, fd, 1, 'b');
    expect(told).toEqual([]);
    expect(fates(disk, 'file')).toContain('');
    expect(disk.pump()).toBe(1);
    expect(told).toEqual([undefined]);
    const found = fates(disk, 'file');
    expect(found).toContain('a');
    expect(found).toContain('ab');
    expect(found).not.toContain('');
    expect(disk.pump()).toBe(0);
  });

  it('takes nothing that was written after it, even when another sync came first', () => {
    const disk = diskWith('file', '');
    const fd = disk.openWrite('file');
    put(disk, fd, 0, 'a');
    disk.syncLater(fd, () => undefined);
    disk.sync(fd);
    put(disk, fd, 1, 'b');
    disk.pump();
    expect(fates(disk, 'file')).toContain('a');
  });

  it('may fail, in order with others, and may ask for the next', () => {
    const disk = diskWith('file', '');
    const fd = disk.openWrite('file');
    const told: string[] = [];
    put(disk, fd, 0, 'a');
    disk.failNext('syncLater', 'EIO');
    disk.syncLater(fd, (error) => {
      told.push(`first: ${(error as NodeJS.ErrnoException).code}`);
      disk.syncLater(fd, () => told.push('third'));
    });
    disk.syncLater(fd, (error) => told.push(`second: ${error}`));
    expect(disk.pump(2)).toBe(2);
    expect(told).toEqual(['first: EIO', 'second: undefined']);
    expect(disk.pump()).toBe(1);
    expect(fates(disk, 'file')).toEqual(new Set(['']));
  });

  it('keeps its file from being closed', () => {
    const disk = diskWith('file', '');
    const fd = disk.openWrite('file');
    disk.syncLater(fd, () => undefined);
    expect(() => disk.close(fd)).toThrow('while a sync of it was under way');
    disk.pump();
    disk.close(fd);
  });
});
