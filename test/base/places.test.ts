/** Where the files that are not imported are looked for, from sources and from the bundle. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { PLACES, placesOf } from '../../src/base/places.ts';

describe('the places', () => {
  it('are those of the checkout when run from the sources, and there is something', () => {
    const root = new URL('../../', import.meta.url);
    expect(PLACES.home).toBe(fileURLToPath(root));
    expect(PLACES.workerEntry('shard').href).toBe(`${root.href}workers/shard.ts`);
    for (const name of ['shard', 'job'] as const) expect(existsSync(PLACES.workerEntry(name))).toBe(true);
    expect(existsSync(join(PLACES.dashboard, 'index.html'))).toBe(true);
  });

  it.each(['main.js', 'main-shared.js'])('are beside %s when run from the bundle', (file) => {
    const places = placesOf(`file:///app/dist/${file}`);
    expect(places.home).toBe('/app/dist/');
    expect(places.workerEntry('shard').href).toBe('file:///app/dist/shard.js');
    expect(places.workerEntry('job').href).toBe('file:///app/dist/job.js');
    expect(places.dashboard).toBe('/app/dist/dashboard');
  });
});
