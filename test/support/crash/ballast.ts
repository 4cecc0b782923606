/**
 * Keys that are written once, before the first round, and must be there ever after: they give snapshots and loading some length.
 */
import { requestBytes } from '../request-bytes.ts';
import { openWire, type Wire } from '../wire.ts';
import { createFinding, type Finding } from './history.ts';

/** Nothing else is in this database. */
const BALLAST_DATABASE = 1;

const KEYS_PER_BATCH = 200;
const SAMPLE_BATCHES = 2;
const BALLAST_MS_MAX = 60_000;
const FILLING = 'ballast that stays where it is. ';

/** Writes them all. Rejects where the server does not take them. */
export async function loadBallast(port: number, count: number): Promise<void> {
  await withWire(port, async (wire) => {
    for (const batch of batches(count)) {
      const request = requestBytes('MSET', ...batch.flatMap((i) => [ballastKey(i), ballastValue(i)]));
      wire.socket.write(request);
      const reply = await wire.reply();
      if (reply !== '+OK') throw new Error(`MSET answered ${String(reply)}`);
    }
  });
}

/** Counts them all, and reads some, chosen by the number of the round; without a round, all. */
export async function checkBallast(port: number, count: number, round?: number): Promise<Finding[]> {
  const findings: Finding[] = [];
  const all = batches(count);
  const sample =
    round === undefined
      ? all
      : all.filter((_, i) => (i + round * SAMPLE_BATCHES) % all.length < SAMPLE_BATCHES);
  await withWire(port, async (wire) => {
    const size = Number(String(await wire.ask('DBSIZE')).slice(1));
    if (size < count) findings.push(finding('lost', `${count - size} of the first keys are gone`));
    if (size > count) findings.push(finding('phantom', `there are ${size - count} keys too many`));
    for (const batch of sample) {
      const values = await wire.ask('MGET', ...batch.map(ballastKey));
      const wrong = Array.isArray(values)
        ? batch.filter((number, i) => values[i] !== ballastValue(number))
        : batch;
      if (wrong.length > 0)
        findings.push(finding('lost', `${wrong.length} have another value, first ${wrong[0]}`));
    }
  });
  return findings;
}

async function withWire(port: number, use: (wire: Wire) => Promise<void>): Promise<void> {
  const wire = await openWire(port);
  const guard = setTimeout(wire.close, BALLAST_MS_MAX);
  try {
    await wire.ask('SELECT', `${BALLAST_DATABASE}`);
    await use(wire);
  } finally {
    clearTimeout(guard);
    wire.close();
  }
}

function batches(count: number): number[][] {
  const numbers = Array.from({ length: count }, (_, i) => i);
  return Array.from({ length: Math.ceil(count / KEYS_PER_BATCH) }, (_, i) =>
    numbers.slice(i * KEYS_PER_BATCH, (i + 1) * KEYS_PER_BATCH),
  );
}

function ballastKey(number: number): string {
  return `ballast:${number}`;
}

function ballastValue(number: number): string {
  return `${number} ${FILLING.repeat(1 + (number % 8))}`;
}

function finding(kind: 'lost' | 'phantom', text: string): Finding {
  return createFinding(kind, `the ballast in database ${BALLAST_DATABASE}`, text);
}
