/**
 * The server is killed at random moments under load, started again, and has lost nothing that it had acknowledged: the short run.
 * The long one is scripts/crash.ts.
 */
import { expect, it } from 'vitest';
import { type RoundReport, type RoundsOptions, runRounds } from '../support/crash/rounds.ts';
import { FSYNC_POLICIES, TARGETS } from '../support/crash/target.ts';
import { describeWithRedis } from '../support/redis-server.ts';
import { testSeed } from '../support/seed.ts';

const OPTIONS = { policies: FSYNC_POLICIES, workers: 2, secondsPerRound: 0.25, ballastKeys: 2000 };
const UNTIL_MS = 60_000;

async function run(target: string, rounds: number, keepsData: boolean) {
  const found = TARGETS.find(({ name }) => name === target);
  if (found === undefined) throw new Error(`there is no target ${target}`);
  const options: RoundsOptions = { ...OPTIONS, rounds, keepsData, target: found, seed: testSeed() };
  const reports: RoundReport[] = [];
  const outcome = await runRounds(options, (report) => reports.push(report));
  return { seed: options.seed, outcome, reports };
}

it(
  'a server killed again and again under every fsync policy loses nothing and invents nothing',
  async () => {
    const { seed, outcome, reports } = await run('distcache', 4, true);
    expect(outcome.findings, `seed ${seed}`).toEqual([]);
    expect(outcome.acknowledged).toBeGreaterThan(0);
    expect(new Set(reports.map(({ policy }) => policy)).size).toBe(FSYNC_POLICIES.length);
  },
  UNTIL_MS,
);

describeWithRedis('the harness', () => {
  it('finds out a server that keeps no log', async () => {
    const { outcome } = await run('forgetful', 3, false);
    expect(outcome.findings.map(({ kind }) => kind)).toContain('lost');
  });
});
