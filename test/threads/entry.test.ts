/** Where the thread entries are looked for, from sources and from the build. */
import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { entryBeside, workerEntry } from '../../src/threads/entry.ts';

describe('thread entries', () => {
  it('are TypeScript files of the checkout when run from the sources', () => {
    const root = new URL('../..', import.meta.url).href;
    expect(workerEntry('shard').href).toBe(`${root}workers/shard.ts`);
    expect(workerEntry('job').href).toBe(`${root}workers/job.ts`);
  });

  it('exist', () => {
    expect(existsSync(workerEntry('shard'))).toBe(true);
    expect(existsSync(workerEntry('job'))).toBe(true);
  });

  it('are compiled files of the build when run from the build', () => {
    const compiled = entryBeside('file:///app/dist/src/threads/entry.js', 'shard');
    expect(compiled.href).toBe('file:///app/dist/workers/shard.js');
  });
});
