/** CONFIG SET and CONFIG REWRITE between a main thread and two workers, here buses of one thread. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Change, Config } from '../../src/config/config.ts';
import { currentSurroundings } from '../../src/config/file.ts';
import { loadConfig } from '../../src/config/load.ts';
import { type Bus, connectPeer, createBus, disconnectPeer, requestFrom } from '../../src/threads/bus.ts';
import { decideConfigChanges, followConfigChanges } from '../../src/threads/config-changes.ts';

type Thread = { bus: Bus; config: Config; applied: Change[] };

let folder: string;
let threads: Thread[];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'distcache-config-'));
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
  disconnectAll();
});

beforeEach(() => createThreads([]));

function createThreads(flags: readonly string[]): void {
  disconnectAll();
  threads = [1, 2, 3].map((id) => {
    const loaded = loadConfig([...flags, '--workers', '2', '--maxmemory', '64mb'], {}, currentSurroundings());
    if (loaded.kind !== 'run') throw new Error('no configuration');
    return { bus: createBus(id, () => undefined, []), config: loaded.config, applied: [] };
  });
  for (const a of threads) for (const b of threads) if (a.bus.threadId < b.bus.threadId) join2(a.bus, b.bus);
  decideConfigChanges(
    threads[0].bus,
    threads[0].config,
    async () => '',
    () => [],
  );
  for (const { bus, config, applied } of threads.slice(1)) {
    followConfigChanges(bus, config, (changes) => applied.push(...changes));
  }
}

function join2(a: Bus, b: Bus): void {
  const { port1, port2 } = new MessageChannel();
  connectPeer(a, { threadId: b.threadId, port: port1 });
  connectPeer(b, { threadId: a.threadId, port: port2 });
}

function disconnectAll(): void {
  for (const { bus } of threads ?? []) for (const peer of [...bus.peers.keys()]) disconnectPeer(bus, peer);
}

function set(...pairs: [string, string][]): Promise<string | undefined> {
  return requestFrom(threads[1].bus, 1, 'config-set', { pairs, clientIsLocal: true });
}

function rewrite(): Promise<string | undefined> {
  return requestFrom(threads[1].bus, 1, 'config-rewrite', null);
}

describe('a change', () => {
  it('is in force on every thread when it is answered, the asking one included', async () => {
    expect(await set(['maxclients', '77'], ['timeout', '5'])).toBe('');
    for (const { config } of threads) expect([config.maxclients, config.timeout]).toEqual([77, 5]);
    for (const { applied } of threads.slice(1)) {
      expect(applied).toEqual([
        ['maxclients', '77'],
        ['timeout', '5'],
      ]);
    }
  });

  it('that is refused changes nothing anywhere, and is answered in words', async () => {
    expect(await set(['timeout', '5'], ['maxclients', 'many'])).toMatch(
      /^ERR CONFIG SET failed .*'maxclients'/,
    );
    for (const { config, applied } of threads) {
      expect(config.timeout).toBe(0);
      expect(applied).toEqual([]);
    }
  });

  it('that main cannot put in force is taken back everywhere', async () => {
    decideConfigChanges(
      threads[0].bus,
      threads[0].config,
      async () => 'ERR it cannot be done',
      () => [],
    );
    expect(await set(['timeout', '5'], ['appendonly', 'no'])).toBe('ERR it cannot be done');
    for (const { config } of threads) {
      expect(config.timeout).toBe(0);
      expect(config.appendonly).toBe(true);
    }
  });

  it('is in force though a thread died meanwhile', async () => {
    disconnectPeer(threads[2].bus, 1);
    expect(await set(['timeout', '5'])).toBe('');
    expect(threads[1].config.timeout).toBe(5);
  });

  it('after another wins on every thread, whoever asked', async () => {
    const asked = [1, 2].flatMap((at) =>
      ['10', '20', '30'].map((text) =>
        requestFrom(threads[at].bus, 1, 'config-set', {
          pairs: [['timeout', `${text}${at}`]],
          clientIsLocal: true,
        }),
      ),
    );
    expect(await Promise.all(asked)).toEqual(['', '', '', '', '', '']);
    expect(new Set(threads.map(({ config }) => config.timeout)).size).toBe(1);
  });
});

describe('a rewrite', () => {
  it('is refused without a file', async () => {
    expect(await rewrite()).toBe('ERR The server is running without a config file');
  });

  it('writes what is in force, also when asked several times at once', async () => {
    const file = join(folder, 'several.conf');
    writeFileSync(file, '# kept\n');
    createThreads(['--config', file]);
    await set(['timeout', '5']);
    expect(await Promise.all([rewrite(), rewrite(), rewrite()])).toEqual(['', '', '']);
    expect(readFileSync(file, 'utf8')).toMatch(/^# kept\n[\s\S]*^timeout 5$/m);
  });

  it('that fails says why', async () => {
    const file = join(folder, 'gone', 'some.conf');
    createThreads([]);
    threads[0].config.configFile = file;
    expect(await rewrite()).toBe('ERR Rewriting config file: no such file or directory');
  });
});
