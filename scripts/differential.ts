/**
 * Random programs over all types, run by this server and by redis-server, and compared reply by reply and key by key.
 *
 *   npm run differential -- --commands 1000000 --seed 7 --workers 2 --restart
 *
 * `--restart` ends our server at intervals, by SIGTERM and by SIGKILL in turns with `appendfsync always`, and expects it to hold the
 * same afterwards. Prints the seed, the shortest program that it finds and both replies where they differ, and exits with 1 then.
 */
import { parseArgs } from 'node:util';
import { randomSeed } from '../src/base/random.ts';
import type { Command } from '../test/support/differential/grammar.ts';
import { createProgram, type Program } from '../test/support/differential/program.ts';
import { type Difference, runProgram } from '../test/support/differential/run.ts';
import { createServerPair, fittedTo } from '../test/support/differential/servers.ts';
import { shorten } from '../test/support/differential/shorten.ts';

const OPTIONS = {
  commands: { type: 'string', default: '1000000' },
  seed: { type: 'string' },
  workers: { type: 'string', default: '2' },
  restart: { type: 'boolean', default: false },
  findings: { type: 'string', default: '1' },
} as const;
const UNITS_PER_PROGRAM = 1000;
const SHORTENING_MS_MAX = 60_000;
const TOLD_MS = 10_000;
const MS_PER_SECOND = 1000;
const COMMANDS_TOLD_MAX = 60;
const CHARACTERS_TOLD_MAX = 600;
const EXIT_CODE_FOUND = 1;

const { values } = parseArgs({ options: OPTIONS, strict: true });
const firstSeed = values.seed === undefined ? randomSeed() >>> 1 : Number(values.seed);
const wanted = Number(values.commands);
const pair = await createServerPair({ workers: Number(values.workers), isRestarted: values.restart });
const startMs = performance.now();
let [count, findings, toldMs] = [0, 0, startMs];
for (let seed = firstSeed; count < wanted && findings < Number(values.findings); seed += 1) {
  await runSeed(seed);
}
say(`${count} commands of the seeds from ${firstSeed} in ${seconds()} s, ${findings} findings`);
await pair.stop();
process.exitCode = findings > 0 ? EXIT_CODE_FOUND : 0;

async function runSeed(seed: number): Promise<void> {
  const program = fittedTo(pair, createProgram(seed, UNITS_PER_PROGRAM));
  const difference = await runProgram(pair, program, (commands) => {
    count += commands;
    if (performance.now() - toldMs < TOLD_MS) return;
    toldMs = performance.now();
    say(`${count} commands in ${seconds()} s, seed ${seed}`);
  });
  if (difference === undefined) return;
  findings += 1;
  say(`FOUND with --seed ${seed}:`);
  sayDifference(program, difference);
  // What only a restart shows has no command.
  const disturb = values.restart && difference.command.length === 0 ? pair.restart : undefined;
  const shorter = await shorten({ ...pair, disturb }, program, difference, SHORTENING_MS_MAX);
  say(`shortened to ${shorter.program.units.length}:`);
  sayDifference(shorter.program, shorter.difference);
}

function sayDifference(program: Program, { text, command, reply, asked, answers }: Difference): void {
  say(`RESP${program.protocol} ${program.settings.map(([name, value]) => `${name} ${value}`).join(', ')}`);
  const commands = program.units.flat();
  if (commands.length <= COMMANDS_TOLD_MAX) for (const each of commands) say(`  ${commandText(each)}`);
  say(`${text}: ${commandText(command)}`);
  say(`  ours:   ${shortened(JSON.stringify(reply))}`);
  for (const [at, other] of asked.entries())
    say(`  theirs: ${commandText(other)} ${shortened(JSON.stringify(answers[at]))}`);
}

function commandText(command: Command): string {
  return shortened(command.map((argument) => JSON.stringify(argument.toString('latin1'))).join(' '));
}

function shortened(text: string): string {
  return text.length > CHARACTERS_TOLD_MAX ? `${text.slice(0, CHARACTERS_TOLD_MAX)} ...` : text;
}

function seconds(): string {
  return ((performance.now() - startMs) / MS_PER_SECOND).toFixed(1);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
