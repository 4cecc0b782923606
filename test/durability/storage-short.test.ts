/** The disk where the kernel takes and gives less at once than it is asked for. */
import { Buffer } from 'node:buffer';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { createDiskStorage } from '../../src/durability/storage.ts';

/** Each call moves so many bytes at the most. */
const MOVED_BYTES_MAX = 3;

vi.mock(import('node:fs'), async (importOriginal) => {
  const real = await importOriginal();
  type Move = (fd: number, bytes: Uint8Array, at: number, count: number, position: number) => number;
  const inPart =
    (move: Move): Move =>
    (fd, bytes, at, count, position) =>
      move(fd, bytes, at, Math.min(count, MOVED_BYTES_MAX), position);
  return {
    ...real,
    writeSync: inPart(real.writeSync as Move) as typeof real.writeSync,
    readSync: inPart(real.readSync as Move) as typeof real.readSync,
  };
});

it('writes and reads all of every length, at every position', () => {
  const storage = createDiskStorage();
  const folder = mkdtempSync(join(tmpdir(), 'distcache-short-'));
  const bytes = Buffer.from('abcdefghij');
  for (let start = 0; start <= bytes.length; start += 1) {
    for (let end = start; end <= bytes.length; end += 1) {
      const fd = storage.createFile(join(folder, `${start}-${end}`));
      storage.write(fd, bytes, start, end, 2);
      const target = Buffer.alloc(20, '.');
      const expected = end > start ? `\0\0${bytes.toString('latin1', start, end)}` : '';
      expect(storage.read(fd, target, 1, 20, 0)).toBe(expected.length);
      expect(target.toString('latin1')).toBe(`.${expected}`.padEnd(20, '.'));
      storage.close(fd);
    }
  }
  rmSync(folder, { recursive: true });
});
