/** Runs before the tests of each file: with TEST_SEED, every property of fast-check draws from that seed. */
import { wantedSeed } from './seed.ts';

if (wantedSeed !== undefined) {
  const { default: fc } = await import('fast-check');
  fc.configureGlobal({ seed: wantedSeed });
}
