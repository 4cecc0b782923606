/**
 * Several clients whose commands come in one order, for differential tests: what each of them is answered, here and by an oracle.
 */
import { Buffer } from 'node:buffer';
import type { Session } from '../../src/commands/session.ts';
import type { Harness } from './harness.ts';
import { openWire } from './wire.ts';

/** Which client sends, and what. */
export type Step = { readonly client: number; readonly command: readonly string[] };

export type Answer = string | null | readonly Answer[];

/** The answers of a server, whose clients are new connections. Every command waits for the reply of the one before. */
export async function interleaveOnServer(port: number, steps: readonly Step[]): Promise<Answer[]> {
  const wires = await Promise.all(Array.from({ length: clientsIn(steps) }, () => openWire(port)));
  const answers: Answer[] = [];
  for (const { client, command } of steps) answers.push((await wires[client].ask(...command)) as Answer);
  for (const wire of wires) wire.close();
  await Promise.all(wires.map(({ closed }) => closed));
  return answers;
}

/** The same in one thread, over the dispatcher alone. */
export function interleaveHere(harness: Harness, steps: readonly Step[]): Answer[] {
  const sessions: Session[] = Array.from({ length: clientsIn(steps) }, () => harness.connect());
  return steps.map(({ client, command }) => answerOf(harness.runAs(sessions[client], ...command)));
}

/** A raw reply as `Wire.ask` gives it. */
function answerOf(raw: string): Answer {
  const { answer, end } = readAnswer(raw, 0);
  if (end !== raw.length) throw new Error(`more than one reply: ${JSON.stringify(raw)}`);
  return answer;
}

function clientsIn(steps: readonly Step[]): number {
  return steps.reduce((most, { client }) => Math.max(most, client + 1), 1);
}

function readAnswer(raw: string, start: number): { answer: Answer; end: number } {
  const lineEnd = raw.indexOf('\r\n', start);
  if (lineEnd < 0) throw new Error(`no whole reply: ${JSON.stringify(raw.slice(start))}`);
  const line = raw.slice(start, lineEnd);
  const count = Number(line.slice(1));
  let end = lineEnd + 2;
  if (line === '$-1' || line === '*-1' || line === '_') return { answer: null, end };
  if ('$='.includes(line[0])) {
    const bytes = Buffer.from(raw.slice(end, end + count), 'latin1');
    return { answer: bytes.toString('latin1'), end: end + count + 2 };
  }
  if (!'*~>%'.includes(line[0])) return { answer: line, end };
  const items: Answer[] = [];
  for (let left = line[0] === '%' ? 2 * count : count; left > 0; left -= 1) {
    const item = readAnswer(raw, end);
    items.push(item.answer);
    end = item.end;
  }
  return { answer: items, end };
}
