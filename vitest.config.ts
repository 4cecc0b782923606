/**
 * How the tests run: what starts servers, each file in a process of its own; what runs in the process of the test, many files in
 * each of a few processes, which spares it the start of hundreds.
 */
import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { createTestTally } from './scripts/test-tally.ts';

/** More than this and the servers under test starve one another, fewer than two and the suite takes too long. */
const TEST_PROCESSES_MAX = 4;

/** Folders of tests that leave nothing behind in their process. */
const TOGETHER = [
  'admin',
  'base',
  'bench',
  'collections',
  'commands',
  'config',
  'differential',
  'durability',
  'metrics',
  'net',
  'resilience',
  'resp',
  'routing',
  'scripts',
  'shard',
  'threads',
].map((folder) => `test/${folder}/**/*.test.ts`);
/** Files of those folders that replace a module (vi.mock): in a shared process those that another has loaded stay. */
const MOCKING = ['test/durability/storage-short.test.ts', 'test/net/rehearsing.test.ts'];
/**
 * And files that hand the code proxies where it expects arrays: what has met one is never as fast again, and in a shared process that
 * makes each file behind them several times slower.
 */
const SLOWING = [
  'test/base/glob.test.ts',
  'test/resp/request-parser.test.ts',
  'test/shard/journal.test.ts',
  'test/shard/recover.test.ts',
  'test/shard/recover-collections.test.ts',
];

/**
 * Above this many bytes the C library gives memory back when it is freed, and what it gives anew the kernel has zeroed. Left alone
 * it reuses such pieces, and zeroes shards of which a test touches little.
 */
const MALLOC_MMAP_THRESHOLD_ = `${128 * 1024}`;

export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: Math.min(TEST_PROCESSES_MAX, Math.max(2, availableParallelism())),
    globalSetup: ['test/support/bundled-server.ts'],
    setupFiles: ['test/support/fixed-seed.ts'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    reporters: ['default', createTestTally(process.env.NO_SKIPPED_TESTS === '1')],
    projects: [
      { extends: true, test: { name: 'apart', include: ['test/**/*.test.ts'], exclude: TOGETHER } },
      {
        extends: true,
        test: { name: 'alone', include: [...MOCKING, ...SLOWING], env: { MALLOC_MMAP_THRESHOLD_ } },
      },
      {
        extends: true,
        test: {
          name: 'together',
          include: TOGETHER,
          exclude: [...MOCKING, ...SLOWING],
          isolate: false,
          env: { MALLOC_MMAP_THRESHOLD_ },
        },
      },
    ],
  },
});
