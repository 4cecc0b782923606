/** Random programs over all types, on a real server and on redis-server: the kept seeds, and one of its own. `npm run differential` runs many. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createProgram } from '../support/differential/program.ts';
import { runProgram } from '../support/differential/run.ts';
import { createServerPair, fittedTo, type ServerPair } from '../support/differential/servers.ts';
import { describeWithRedis } from '../support/redis-server.ts';
import { testSeed } from '../support/seed.ts';

/** Of both protocols, all thresholds and sizes: hashes that keep their order, few elements and many, and trees of three levels. */
const KEPT_SEEDS = [7, 31, 53];
/** Of all types, elements by the hundred. */
const LASTING_SEED = 31;
const UNITS_PER_PROGRAM = 600;
/** A program with huge sets takes seconds. */
const TEST_MS_MAX = 120_000;

let pair: ServerPair;

describeWithRedis('programs over all types, compared with redis-server', () => {
  beforeAll(async () => {
    pair = await createServerPair({ workers: 2, isRestarted: false });
  });
  afterAll(() => pair?.stop());

  for (const seed of [...KEPT_SEEDS, testSeed()]) {
    it(
      `answer alike and leave the same (seed ${seed})`,
      async () => {
        expect(await runProgram(pair, createProgram(seed, UNITS_PER_PROGRAM))).toBeUndefined();
      },
      TEST_MS_MAX,
    );
  }

  it(
    'have what they had after a kill and a stop in the middle',
    async () => {
      const lasting = await createServerPair({ workers: 2, isRestarted: true });
      try {
        const program = fittedTo(lasting, createProgram(LASTING_SEED, UNITS_PER_PROGRAM / 2));
        expect(await runProgram({ ...lasting, disturb: lasting.restart }, program)).toBeUndefined();
      } finally {
        await lasting.stop();
      }
    },
    TEST_MS_MAX,
  );
});
