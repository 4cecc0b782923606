/** The generated pages are committed as they are rendered. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { PAGES } from '../../scripts/generate-docs.ts';

describe('the generated pages', () => {
  it.each(PAGES)('$path is what `npm run docs` writes', ({ path, render }) => {
    const committed = readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
    expect(committed).toBe(render());
  });
});
