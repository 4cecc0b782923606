/** Which lines of the log go out, from which thread, and how they look. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { StartError } from '../../src/base/errors.ts';
import type { Config } from '../../src/config/config.ts';
import { currentSurroundings } from '../../src/config/file.ts';
import { loadConfig } from '../../src/config/load.ts';
import { createBus } from '../../src/threads/bus.ts';
import { createLog, type Log, type LogLine, receiveLog, sinkToMain } from '../../src/threads/log.ts';
import { openLogSink } from '../../src/threads/log-sink.ts';

const LEVELS = ['debug', 'verbose', 'notice', 'warning'] as const;

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'distcache-log-'));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function configWith(loglevel: string): Config {
  const loaded = loadConfig(['--loglevel', loglevel], {}, currentSurroundings());
  if (loaded.kind !== 'run') throw new Error('no configuration');
  return loaded.config;
}

function writeEveryLevel(log: Log): void {
  for (const level of LEVELS) log[level](`a ${level}`);
  log.error('an error', new TypeError('the cause'));
}

describe('a line', () => {
  it.each(LEVELS)('below loglevel %s is not written; an error always is', (loglevel) => {
    const lines: LogLine[] = [];
    writeEveryLevel(createLog(configWith(loglevel), 1, (line) => lines.push(line)));
    const expected = [...LEVELS.slice(LEVELS.indexOf(loglevel)), 'error'];
    expect(lines.map(({ level }) => level)).toEqual(expected);
  });

  it('follows a loglevel that changes', () => {
    const lines: LogLine[] = [];
    const config = configWith('warning');
    const log = createLog(config, 1, (line) => lines.push(line));
    log.notice('before');
    config.loglevel = 'notice';
    log.notice('after');
    expect(lines.map(({ text }) => text)).toEqual(['after']);
  });

  it('of an error carries its type, message and stack, or whatever was thrown as text', () => {
    const lines: LogLine[] = [];
    const log = createLog(configWith('notice'), 1, (line) => lines.push(line));
    log.error('thrown', new TypeError('the cause'));
    log.error('thrown', 'a text');
    expect(lines[0].err).toMatchObject({ type: 'TypeError', message: 'the cause' });
    expect(lines[0].err?.stack).toContain('log.test.ts');
    expect(lines[1].err).toEqual({ type: 'string', message: 'a text', stack: '' });
  });

  it('of a worker is written by main, under the worker, errors whole', async () => {
    const { port1, port2 } = new MessageChannel();
    const main = createBus(1, () => undefined, [{ threadId: 2, port: port1 }]);
    const worker = createBus(2, () => undefined, [{ threadId: 1, port: port2 }]);
    const written = new Promise<{ line: LogLine; thread: number }>((resolve) => {
      receiveLog(main, (line, thread) => resolve({ line, thread }));
    });
    const log = createLog(
      configWith('notice'),
      2,
      sinkToMain(() => worker),
    );
    log.error('failed', new Error('the cause'));
    const { line, thread } = await written;
    expect(thread).toBe(2);
    expect(line).toMatchObject({
      level: 'error',
      text: 'failed',
      err: { type: 'Error', message: 'the cause' },
    });
    port1.close();
  });
});

describe('the file of the log', () => {
  it('has one JSON object for each line, written at once, and is appended to', () => {
    const file = join(folder, 'json.log');
    const config = configWith('debug');
    writeEveryLevel(createLog(config, 1, openLogSink({ file, pretty: false })));
    createLog(config, 3, openLogSink({ file, pretty: false })).notice('again', { port: 7 });
    const lines = readFileSync(file, 'utf8').trim().split('\n');
    const records = lines.map((line) => JSON.parse(line));
    expect(records.map(({ level, msg }) => [level, msg])).toEqual([
      ...LEVELS.map((level) => [level, `a ${level}`]),
      ['error', 'an error'],
      ['notice', 'again'],
    ]);
    expect(records[4].err).toMatchObject({ type: 'TypeError', message: 'the cause' });
    expect(records[5]).toMatchObject({ thread: 3, port: 7, pid: process.pid });
    expect(Number.isNaN(Date.parse(records[5].time))).toBe(false);
  });

  it('is for eyes where that is wanted', () => {
    const file = join(folder, 'pretty.log');
    createLog(configWith('notice'), 1, openLogSink({ file, pretty: true })).notice('ready', { port: 7 });
    expect(readFileSync(file, 'utf8')).toMatch(/^\[\d{4}-.*\] NOTICE: ready \{"thread":1,"port":7\}\n$/);
  });

  it('that cannot be opened is a StartError', () => {
    expect(() => openLogSink({ file: join(folder, 'no/such/file'), pretty: false })).toThrow(StartError);
  });
});
