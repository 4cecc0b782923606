/**
 * Attacks on a real server, one after the other, each on a server of its own; docs/security.md has the table.
 *
 *   npm run abuse -- --seconds 10 --connections 10000 --only "KEYS"
 *
 * Prints a Markdown table: how far the server's memory grew, how many clients it cut off, and how a client that behaves fared,
 * alone and meanwhile. Exits with 1 when the server logged an error, stopped badly, or failed that client.
 */
import { parseArgs } from 'node:util';
import { describeMachine, machineText } from '../bench/support/machine.ts';
import { type Column, markdownTable } from '../bench/support/markdown.ts';
import { type AttackReport, runAttack } from '../test/support/abuse/attack.ts';
import { ATTACKS, FULL_SCALE } from '../test/support/abuse/attacks.ts';

const BYTES_PER_MIB = 2 ** 20;
const COLUMNS: readonly Column[] = [
  { heading: 'attack', align: 'left' },
  { heading: 'what the server does', align: 'left' },
  { heading: 'memory grows by, MiB', align: 'right' },
  { heading: 'clients cut', align: 'right' },
  { heading: 'p99 alone, ms', align: 'right' },
  { heading: 'p99 meanwhile, ms', align: 'right' },
  { heading: 'longest, ms', align: 'right' },
];

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: String(FULL_SCALE.seconds) },
    connections: { type: 'string', default: String(FULL_SCALE.connections) },
    keys: { type: 'string', default: String(FULL_SCALE.keys) },
    only: { type: 'string', default: '' },
  },
});
const scale = {
  seconds: Number(values.seconds),
  connections: Number(values.connections),
  keys: Number(values.keys),
};
const rows: string[][] = [];
for (const attack of ATTACKS.filter(({ name }) => name.includes(values.only))) {
  process.stderr.write(`${attack.name}\n`);
  const report = await runAttack(attack, scale);
  rows.push(cellsOf(report));
  for (const trouble of [...report.troubles, report.probe.failure].filter((text) => text !== '')) {
    process.stderr.write(`  ${trouble}\n`);
    process.exitCode = 1;
  }
}
process.stdout.write(`${machineText(describeMachine([]))}${markdownTable(COLUMNS, rows)}`);

function cellsOf({ name, answer, grownBytes, cut, probe, alone }: AttackReport): string[] {
  return [
    name,
    answer,
    (grownBytes / BYTES_PER_MIB).toFixed(0),
    String(cut),
    alone.p99Ms.toFixed(1),
    probe.p99Ms.toFixed(1),
    probe.maxMs.toFixed(1),
  ];
}
