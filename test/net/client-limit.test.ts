/** How many clients so many open files allow. */
import { describe, expect, it } from 'vitest';
import { openFilesMax } from '../../src/base/open-files.ts';
import { currentSurroundings } from '../../src/config/file.ts';
import { loadConfig } from '../../src/config/load.ts';
import { fitClients } from '../../src/net/client-limit.ts';

const loaded = loadConfig(['--workers', '2', '--maxclients', '100'], {}, currentSurroundings());
if (loaded.kind !== 'run') throw new Error('no configuration');
const { config } = loaded;

/** 32 for the process, and 8 for each of three threads. */
const OTHERS = 56;

describe('maxclients', () => {
  it('stays where there are files enough', () => {
    expect(fitClients(config, OTHERS + 100)).toBeUndefined();
    expect(fitClients(config, Number.POSITIVE_INFINITY)).toBeUndefined();
  });

  it('falls to what the files allow', () => {
    expect(fitClients(config, OTHERS + 99)).toEqual(['maxclients', '99']);
    expect(fitClients(config, OTHERS + 1)).toEqual(['maxclients', '1']);
  });

  it('of none is no server', () => {
    expect(() => fitClients(config, OTHERS)).toThrow(
      'the limit of 56 open files (ulimit -n) leaves none for clients',
    );
  });
});

it('the open files of this process are a number', () => {
  expect(openFilesMax()).toBeGreaterThan(OTHERS);
});
