/**
 * The protocol fuzzer's long mode: a real server is sent what nobody would send on purpose, for as long as it is told.
 *
 *   npm run fuzz -- --minutes 30 --seed 7 --connections 24 --workers 2
 *
 * Prints a line per batch. Exits with 1 when something was found: no RESP in a reply, an internal error, a client that
 * behaves and was not answered, an error in the server's log, or a stop or a restart that fails.
 */
import { parseArgs } from 'node:util';
import { randomSeed } from '../src/base/random.ts';
import { fuzzServer } from '../test/support/fuzz/server.ts';

const MS_PER_MINUTE = 60_000;
const CONVERSATIONS_PER_BATCH = 200;
const SEEDS_PER_BATCH = 10_000_000;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string' },
    connections: { type: 'string', default: '24' },
    workers: { type: 'string', default: '2' },
  },
});
const firstSeed = values.seed === undefined ? randomSeed() >>> 0 : Number(values.seed);
const endMs = performance.now() + Number(values.minutes) * MS_PER_MINUTE;
for (let batch = 0; performance.now() < endMs; batch += 1) {
  const report = await fuzzServer({
    seed: firstSeed + batch * SEEDS_PER_BATCH,
    connections: Number(values.connections),
    conversations: CONVERSATIONS_PER_BATCH,
    flags: ['--workers', values.workers],
  });
  const { sentBytes, replies, pings, findings } = report;
  process.stdout.write(
    `seed ${firstSeed + batch * SEEDS_PER_BATCH}: ${sentBytes} bytes, ${replies} replies, ${pings} pings, ${findings.length} findings\n`,
  );
  for (const finding of findings) process.stdout.write(`  ${finding}\n`);
  if (findings.length > 0) process.exitCode = 1;
}
