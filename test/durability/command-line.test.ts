/** The programs beside the server, as real processes. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { segmentPath } from '../../src/durability/file-names.ts';
import { MANIFEST_NAME, writeManifest } from '../../src/durability/manifest.ts';
import { placeLog, SAME_BOOT } from '../support/built-log.ts';
import { NODE_COMPILE_CACHE } from '../support/distcache-server.ts';
import { addBlock, builtFiles, createLogBuilder, put } from '../support/log-builder.ts';
import { SERVER_MAIN } from '../support/server-main.ts';

const EXIT_USAGE = 64;

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'distcache-tool-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function run(words: readonly string[], input = ''): { code: number | null; out: string; err: string } {
  const child = spawnSync(process.execPath, [SERVER_MAIN, ...words], {
    input,
    encoding: 'utf8',
    timeout: 20_000,
    env: { ...process.env, NODE_COMPILE_CACHE },
  });
  return { code: child.status, out: child.stdout, err: child.stderr };
}

/** A data folder with a log of three blocks; the second one damaged. */
function damagedFolder(name: string): string {
  const builder = createLogBuilder({ streams: 1, shards: 1, bootId: SAME_BOOT });
  for (const key of ['a', 'b', 'c']) addBlock(builder, 0, [{ shard: 0, records: [put(key, 'value')] }]);
  const path = segmentPath(0, 1);
  const bytes = builtFiles(builder).get(path);
  if (bytes === undefined) throw new Error('no segment');
  // The boot id is another machine's: the synced block number decides, and there is none; so damage the header page instead.
  bytes[100] ^= 1;
  const { disk, manifest } = placeLog(builder);
  writeManifest(disk, MANIFEST_NAME, manifest);
  const data = join(folder, name);
  mkdirSync(join(data, 'worker-000'), { recursive: true });
  writeFileSync(join(data, path), bytes);
  writeFileSync(join(data, MANIFEST_NAME), disk.contents(MANIFEST_NAME));
  return data;
}

describe('distcache check', () => {
  it('ends with 1 for a damaged folder, asks before it repairs, and ends with 0 when it did', () => {
    const data = damagedFolder('damaged');
    const found = run(['check', data]);
    expect(found).toMatchObject({ code: 1, err: '' });
    expect(found.out).toContain(`damaged: ${segmentPath(0, 1)}: bad header checksum, at offset 0;`);
    expect(run(['check', data, '--repair'])).toMatchObject({ code: 1 });
    const refused = run(['check', data, '--repair'], 'n\n');
    expect(refused.code).toBe(1);
    expect(refused.out).toMatch(/\[y\/N\] nothing was changed\n$/);
    const repaired = run(['check', data, '--repair'], 'y\n');
    expect(repaired.code).toBe(0);
    expect(repaired.out).toMatch(/kept aside: worker-000\/wal-000000000001\.log\.damaged-1\n.* is good\n$/);
    expect(run(['check', data])).toMatchObject({ code: 0, err: '' });
  });

  it('needs no answer with --yes', () => {
    const data = damagedFolder('sure');
    expect(run(['check', data, '--repair', '--yes'])).toMatchObject({ code: 0, err: '' });
  });

  it('says in one line why it cannot', () => {
    const found = run(['check', join(folder, 'nowhere')]);
    expect(found.code).toBe(1);
    expect(found.err).toMatch(/^distcache: cannot use the folder '.*nowhere' \(dir\): [^\n]*\n$/);
  });
});

describe('distcache inspect', () => {
  it('shows a segment, and says in one line when there is no such file', () => {
    const data = damagedFolder('inspected');
    const builder = createLogBuilder({ streams: 1, shards: 1, bootId: SAME_BOOT });
    addBlock(builder, 0, [{ shard: 0, records: [put('a', 'b')] }]);
    const path = join(data, 'one.log');
    writeFileSync(path, builtFiles(builder).get(segmentPath(0, 1)) ?? '');
    const found = run(['inspect', path, '--limit', '5']);
    expect(found).toMatchObject({ code: 0, err: '' });
    expect(found.out).toContain('  shard 0 LSN 1 db 0 PUT "a" "b"\n');
    const missing = run(['inspect', join(data, 'two.log')]);
    expect(missing.code).toBe(1);
    expect(missing.err).toMatch(/^distcache: ENOENT[^\n]*\n$/);
  });
});

describe('a command line that makes no sense', () => {
  it('is answered with how it goes', () => {
    const wrong = [
      ['check'],
      ['check', 'a', 'b'],
      ['check', 'a', '--fix'],
      ['inspect'],
      ['inspect', 'a', '--limit', '0'],
    ];
    for (const words of wrong) {
      const found = run(words);
      expect(found.code).toBe(EXIT_USAGE);
      expect(found.err).toContain('distcache check DIR [--repair] [--yes]');
    }
  });
});
