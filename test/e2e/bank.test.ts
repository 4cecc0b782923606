/** Money that is moved over all shards in transactions is neither made nor lost, nor seen on its way: the short run of scripts/bank.ts. */
import { expect, it } from 'vitest';
import { runBank } from '../support/bank.ts';
import { startDistcache } from '../support/distcache-server.ts';
import { testSeed } from '../support/seed.ts';

const OPTIONS = { accounts: 100, transfers: 20_000, movers: 3, watchers: 3, auditors: 2, depth: 8 };

it('no transfer is lost, and none is seen half', async () => {
  const server = await startDistcache(['--workers', '4']);
  const seed = testSeed();
  const report = await runBank({ ...OPTIONS, port: server.port, seed });
  await server.stop();
  expect(report.findings, `seed ${seed}`).toEqual([]);
  expect(report.transfers).toBeGreaterThanOrEqual(OPTIONS.transfers);
  expect(Math.min(report.turnedDown, report.audits)).toBeGreaterThan(0);
}, 60_000);
