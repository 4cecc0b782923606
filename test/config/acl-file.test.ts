/** Tests of the ACL file: read whole, replaced whole or not at all. */
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readAclFile, writeAclFile } from '../../src/config/acl-file.ts';
import { CONFIG_FILE_BYTES_MAX } from '../../src/config/limits.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'distcache-acl-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the ACL file', () => {
  it('is the same bytes after writing and reading, by a path below the folder or an absolute one', async () => {
    const bytes = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte)).join('');
    expect(await writeAclFile(folder, 'users.acl', bytes)).toBeUndefined();
    expect(readAclFile(folder, 'users.acl')).toEqual({ bytes });
    expect(readAclFile('/nowhere', join(folder, 'users.acl'))).toEqual({ bytes });
    expect(readFileSync(join(folder, 'users.acl'))).toHaveLength(256);
  });

  it('is for its owner only when it is new, and keeps its mode when it is not', async () => {
    const path = join(folder, 'modes.acl');
    await writeAclFile(folder, 'modes.acl', 'one');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    chmodSync(path, 0o640);
    await writeAclFile(folder, 'modes.acl', 'two');
    expect(statSync(path).mode & 0o777).toBe(0o640);
  });

  it('stays a link where it is one', async () => {
    writeFileSync(join(folder, 'real.acl'), 'old');
    symlinkSync('real.acl', join(folder, 'link.acl'));
    await writeAclFile(folder, 'link.acl', 'new');
    expect(lstatSync(join(folder, 'link.acl')).isSymbolicLink()).toBe(true);
    expect(readFileSync(join(folder, 'real.acl'), 'utf8')).toBe('new');
  });

  it('leaves nothing aside when it cannot be written', async () => {
    mkdirSync(join(folder, 'taken'));
    expect(await writeAclFile(folder, 'taken', 'x')).toMatch(/directory/);
    expect(await writeAclFile(folder, 'nosuch/users.acl', 'x')).toMatch(/no such file/);
    expect(readdirSync(folder).filter((name) => name.includes('.tmp'))).toEqual([]);
  });

  it('cannot be read where it is not there, or too large to be one', () => {
    expect(readAclFile(folder, 'nosuch')).toEqual({ trouble: 'no such file or directory' });
    writeFileSync(join(folder, 'huge'), '');
    truncateSync(join(folder, 'huge'), CONFIG_FILE_BYTES_MAX + 1);
    expect(readAclFile(folder, 'huge')).toEqual({ trouble: 'the file is too large' });
  });
});
