/** Which file system holds the servers' folders. */
import { describe, expect, test } from 'vitest';
import { diskFolder, diskText, fileSystemOf } from '../../bench/support/disk.ts';
import { BadFlag } from '../../bench/support/options.ts';

const MOUNTS = [
  'rootfs / rootfs rw 0 0',
  '/dev/root / ext4 rw,relatime 0 0',
  'proc /proc proc rw 0 0',
  'tmpfs /tmp tmpfs rw 0 0',
  '/dev/sdb /tmp/with\\040space xfs rw 0 0',
  '',
].join('\n');

describe('a path', () => {
  test.each([
    ['/', 'ext4'],
    ['/home/data', 'ext4'],
    ['/tmp', 'tmpfs'],
    ['/tmp/folder', 'tmpfs'],
    ['/tmpfolder', 'ext4'],
    ['/tmp/with space', 'xfs'],
    ['/tmp/with space/folder', 'xfs'],
  ])('%s is on the mount nearest above it, the latest where there are two: %s', (path, type) => {
    expect(fileSystemOf(MOUNTS, path)).toBe(type);
  });

  test('is on an unknown file system where nothing is mounted', () => {
    expect(fileSystemOf('', '/home')).toBe('unknown');
  });
});

describe.runIf(process.platform === 'linux')('--dir', () => {
  test('is refused where it is not there, and where it is in memory', () => {
    expect(() => diskFolder('/no/such/folder')).toThrow(BadFlag);
    expect(() => diskFolder('/dev/shm')).toThrow(/in memory/);
  });
});

test('the results tell the file system and not the folder', () => {
  expect(diskText({ path: '/home/somebody', fileSystem: 'ext4' })).toBe(
    "The servers' folders are on ext4.\n\n",
  );
});
