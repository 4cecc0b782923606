/** Which versions of Node the launcher lets through, and that package.json says the same. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { isSupportedNode } from '../../bin/supported-node.mjs';

describe('the supported versions of Node', () => {
  it.each(['24.20.0', '24.21.3', '26.6.0', '26.10.0', '27.0.0', '28.1.0', '100.0.0'])(
    '%s can run',
    (version) => expect(isSupportedNode(version)).toBe(true),
  );

  it.each([
    '0.12.18',
    '18.20.8',
    '20.20.2',
    '22.21.0',
    '23.11.0',
    '24.0.0',
    '24.19.9',
    '25.9.0',
    '26.5.9',
    '2.60.0',
  ])('%s cannot', (version) => expect(isSupportedNode(version)).toBe(false));

  it('are those that package.json names, and the running one is among them', () => {
    const { engines } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
    expect(engines.node).toBe('^24.20.0 || >=26.6.0');
    expect(isSupportedNode(process.versions.node)).toBe(true);
  });
});
