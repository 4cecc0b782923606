/** What the system says, in the words that people know. */
import { constants } from 'node:os';
import { expect, it } from 'vitest';
import { systemErrorText } from '../../src/base/platform.ts';

it.each([
  ['ENOSPC', 'No space left on device'],
  ['EIO', 'Input/output error'],
  ['EFBIG', 'File too large'],
  ['ENOENT', 'No such file or directory'],
  ['EROFS', 'Read-only file system'],
  ['EACCES', 'Permission denied'],
] as const)('%s is told in the words of the C library, as redis-server tells it', (name, text) => {
  expect(systemErrorText(-constants.errno[name])).toBe(text);
});
