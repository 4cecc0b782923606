/**
 * A folder of data that is in use, torn or damaged: what the server says, and what `distcache check` makes of it.
 */
import { cpSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { crc32 } from '../../src/base/checksum.ts';
import { runDistcache, startDistcache, WITHOUT_HTTP } from '../support/distcache-server.ts';
import { createDataFolder, type DataFolder, killServer } from '../support/lasting-folder.ts';
import { openWire } from '../support/wire.ts';

const KEYS = 200;
const BYTES = 400;
const EXIT_REFUSED = 1;

/** Data of a server that was killed: a snapshot of half of the keys and a log of the others, one block each. */
let made: DataFolder;
let folder: DataFolder;
beforeAll(async () => {
  made = createDataFolder(WITHOUT_HTTP);
  const server = await made.start(['--workers', '1']);
  const wire = await openWire(server.port);
  for (let i = 0; i < KEYS; i += 1) {
    if (i === KEYS / 2) expect(await wire.ask('SAVE')).toBe('+OK');
    expect(await wire.ask('SET', `key-${i}`, 'x'.repeat(BYTES))).toBe('+OK');
  }
  await killServer(server);
});
afterAll(() => made.remove());

beforeEach(async () => {
  folder = createDataFolder(WITHOUT_HTTP);
  cpSync(made.path, folder.path, { recursive: true });
  return () => folder.remove();
});

const FLAGS = ['--workers', '1'];

function fileIn(name: string): string {
  const [last] = readdirSync(join(folder.path, name)).toSorted().reverse();
  return join(folder.path, name, last);
}

/** Changes one byte. */
function damage(path: string, offset: number): void {
  const bytes = readFileSync(path);
  bytes[offset] ^= 0x55;
  writeFileSync(path, bytes);
}

/** Each file of the folder and a checksum of it. */
function everything(): [name: string, checksum: number][] {
  return readdirSync(folder.path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== 'distcache.lock')
    .map(({ parentPath, name }) => [name, crc32(readFileSync(join(parentPath, name)))]);
}

/** What a start says that is refused, and leaves everything as it is. */
async function refusal(flags: readonly string[] = []): Promise<string> {
  const before = everything();
  const { code, stderr } = await runDistcache([
    '--port',
    '0',
    '--http-port',
    '0',
    '--dir',
    folder.path,
    ...FLAGS,
    ...flags,
  ]);
  expect(code).toBe(EXIT_REFUSED);
  expect(everything()).toEqual(before);
  return stderr;
}

/** Starts a server and answers how many of the keys it has. */
async function keysAfterStart(): Promise<{ keys: number; output: string }> {
  const server = await folder.start(FLAGS);
  const wire = await openWire(server.port);
  const keys = Number(String(await wire.ask('DBSIZE')).slice(1));
  wire.close();
  await killServer(server);
  return { keys, output: server.output() };
}

describe('a second server in the same folder', () => {
  it('is refused with the reason, and does the first no harm', async () => {
    const server = await folder.start(FLAGS);
    expect(await refusal()).toMatch(
      /^distcache: the folder '.*' is in use by process \d+ \(distcache\.lock\)\n$/,
    );
    const wire = await openWire(server.port);
    expect(await wire.ask('SET', 'still', 'here')).toBe('+OK');
    expect(await wire.ask('DBSIZE')).toBe(`:${KEYS + 1}`);
    wire.close();
  });
});

describe('a torn tail', () => {
  it('is cut, and said in one line', async () => {
    const path = fileIn('worker-000');
    truncateSync(path, statSync(path).size - 10);
    const { keys, output } = await keysAfterStart();
    expect(keys).toBe(KEYS - 1);
    const lines = output.split('\n').filter((line) => line.includes('bytes cut at offset'));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/worker-000\/wal-\d{12}\.log: \d+ bytes cut at offset \d+: torn/);
  });
});

describe('a start that cannot go by what is there', () => {
  it('is refused with a torn end where aof-load-truncated is no', async () => {
    const path = fileIn('worker-000');
    truncateSync(path, statSync(path).size - 10);
    expect(await refusal(['--aof-load-truncated', 'no'])).toContain('torn end, and aof-load-truncated is no');
  });

  it('is refused without the manifest: the data is not taken for leftovers', async () => {
    rmSync(join(folder.path, 'distcache.manifest'));
    expect(await refusal()).toMatch(/holds (worker|shard)-000\/\S+, but no distcache\.manifest/);
  });

  it('is refused where the log has databases that the configuration has not', async () => {
    const server = await folder.start(FLAGS);
    const wire = await openWire(server.port);
    await wire.ask('SELECT', '9');
    expect(await wire.ask('SET', 'far', 'off')).toBe('+OK');
    wire.close();
    await killServer(server);
    expect(await refusal(['--databases', '4'])).toContain('changes of database 9: raise databases');
  });
});

describe('a whole snapshot that is not the one listed', () => {
  it('is refused by its name', async () => {
    const path = fileIn('shard-000');
    const older = readFileSync(path);
    const server = await folder.start(FLAGS);
    const wire = await openWire(server.port);
    expect(await wire.ask('SAVE')).toBe('+OK');
    wire.close();
    await killServer(server);
    expect(fileIn('shard-000')).not.toBe(path);
    writeFileSync(fileIn('shard-000'), older);
    expect(await refusal()).toMatch(
      /shard-000\/snapshot-\d{12}\.snap is not the file that the manifest lists under this name/,
    );
  });
});

describe('damage', () => {
  it('in the middle of a segment is refused, and check --repair keeps what stands before it', async () => {
    const path = fileIn('worker-000');
    damage(path, Math.floor((4096 + statSync(path).size) / 2));
    const text = await refusal();
    expect(text).toMatch(/worker-000\/wal-\d{12}\.log: .*good blocks behind it, at offset \d+/);
    expect(text).toContain(`'distcache check ${folder.path} --repair'`);
    const repaired = await runDistcache(['check', folder.path, '--repair', '--yes']);
    expect(repaired).toMatchObject({ code: 0, stdout: expect.stringContaining('kept aside: ') });
    const { keys } = await keysAfterStart();
    expect(keys).toBeGreaterThan(KEYS / 2);
    expect(keys).toBeLessThan(KEYS);
  });

  it('in the only snapshot is refused, and no repair makes something up', async () => {
    const path = fileIn('shard-000');
    damage(path, Math.floor(statSync(path).size / 2));
    const text = await refusal();
    expect(text).toMatch(/shard-000\/snapshot-\d{12}\.snap: .* \(byte \d+\);/);
    expect(text).toContain(`distcache check ${folder.path} --repair`);
    const repaired = await runDistcache(['check', folder.path, '--repair', '--yes']);
    expect(repaired).toMatchObject({ code: 1, stdout: expect.stringContaining('Nothing was changed') });
  });

  it('in the manifest is refused', async () => {
    damage(join(folder.path, 'distcache.manifest'), 20);
    expect(await refusal()).toMatch(/distcache\.manifest/);
  });
});

describe('a segment', () => {
  it('that is missing is refused, and a repair goes on without', async () => {
    const path = fileIn('worker-000');
    rmSync(path);
    expect(await refusal()).toMatch(/worker-000\/wal-\d{12}\.log: the segment is missing, at offset 0;/);
    const repaired = await runDistcache(['check', folder.path, '--repair', '--yes']);
    expect(repaired.code).toBe(0);
    expect((await keysAfterStart()).keys).toBe(KEYS / 2);
  });
});

describe('a folder that cannot be written', () => {
  it('is refused in one line', async () => {
    const launcher = ['prlimit', '--fsize=100', '--'];
    await expect(startDistcache(['--dir', folder.path, ...FLAGS], {}, launcher)).rejects.toThrow(
      /\ndistcache: the folder '.*' \(dir\): EFBIG: file too large, write\n$/,
    );
  });
});
