/** The example of the page on entries is what the shard's code writes today. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { exampleText } from '../../scripts/show-entry.ts';

it('docs/formats/entry.md shows what `node scripts/show-entry.ts` prints', () => {
  const page = readFileSync(new URL('../../docs/formats/entry.md', import.meta.url), 'utf8');
  expect(page).toContain(exampleText());
});
