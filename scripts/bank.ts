/**
 * Bank test of a real server: transfers in transactions over all shards, audits all the while, and every account right at the end.
 *
 *   npm run bank -- --transfers 1000000 --seed 7 --workers 4 --fsync no --accounts 200
 *
 * `--fsync` is `off` (nothing is logged) or a policy of `appendfsync`; with `--port` a server that runs is used. Exits with 1 when
 * something was found.
 */
import { parseArgs } from 'node:util';
import { randomSeed } from '../src/base/random.ts';
import { runBank } from '../test/support/bank.ts';
import { startDistcache } from '../test/support/distcache-server.ts';

const OPTIONS = {
  transfers: { type: 'string', default: '1000000' },
  seed: { type: 'string' },
  workers: { type: 'string', default: '4' },
  accounts: { type: 'string', default: '200' },
  movers: { type: 'string', default: '6' },
  watchers: { type: 'string', default: '4' },
  auditors: { type: 'string', default: '2' },
  depth: { type: 'string', default: '16' },
  fsync: { type: 'string', default: 'off' },
  port: { type: 'string' },
} as const;
const MS_PER_SECOND = 1000;
const EXIT_CODE_FOUND = 1;

const { values } = parseArgs({ options: OPTIONS, strict: true });
const seed = values.seed === undefined ? randomSeed() >>> 1 : Number(values.seed);
const server = values.port === undefined ? await startDistcache(serverFlags()) : undefined;
const startMs = performance.now();
const report = await runBank({
  port: server?.port ?? Number(values.port),
  seed,
  accounts: Number(values.accounts),
  transfers: Number(values.transfers),
  movers: Number(values.movers),
  watchers: Number(values.watchers),
  auditors: Number(values.auditors),
  depth: Number(values.depth),
});
const seconds = (performance.now() - startMs) / MS_PER_SECOND;
await server?.stop();
for (const finding of report.findings) say(`FOUND: ${finding}`);
say(
  `seed ${seed}: ${report.transfers} transfers in ${seconds.toFixed(1)} s, ${report.turnedDown} turned down under WATCH, ` +
    `${report.audits} audits, ${report.findings.length} findings`,
);
process.exitCode = report.findings.length > 0 ? EXIT_CODE_FOUND : 0;

function serverFlags(): string[] {
  const log =
    values.fsync === 'off' ? [] : ['--appendonly', 'yes', '--appendfsync', values.fsync, '--save', ''];
  return ['--workers', values.workers, ...log];
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
