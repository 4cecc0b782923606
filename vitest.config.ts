/** How the tests run: each file in a process of its own, because many start servers, threads and signals. */
import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { createTestTally } from './scripts/test-tally.ts';

/** More than this and the servers under test starve one another, fewer than two and the suite takes too long. */
const TEST_PROCESSES_MAX = 4;

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: Math.min(TEST_PROCESSES_MAX, Math.max(2, availableParallelism())),
    testTimeout: 30_000,
    hookTimeout: 30_000,
    reporters: ['default', createTestTally(process.env.NO_SKIPPED_TESTS === '1')],
  },
});
