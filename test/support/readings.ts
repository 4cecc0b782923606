/**
 * What tests read of a running server: its metrics, the fields of its INFO, the memory of its process; and waiting for a
 * condition on them, with a bound.
 */
import { readFileSync } from 'node:fs';
import { parsePrometheusText } from './prometheus-parser.ts';
import type { Wire } from './wire.ts';

const POLL_MS = 5;
/** Only a failure takes so long; a busy machine may take half of it. */
const WAIT_MS_MAX = 25_000;
const BYTES_PER_KB = 1024;

/** A metric of the server, summed over its labels. */
export async function metricTotal(httpPort: number, name: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${httpPort}/metrics`)).text();
  const family = parsePrometheusText(text).get(name);
  if (family === undefined) throw new Error(`no metric ${name}`);
  return family.samples.reduce((sum, { value }) => sum + value, 0);
}

export async function infoField(wire: Wire, field: string): Promise<number> {
  const text = String(await wire.ask('INFO', 'everything'));
  const match = new RegExp(`^${field}:(\\d+)`, 'm').exec(text);
  if (match === null) throw new Error(`INFO has no number ${field}`);
  return Number(match[1]);
}

/** Memory that the process has in RAM now (Linux), in bytes. */
export function residentBytes(pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(match?.[1]) * BYTES_PER_KB;
}

/** Resolves once the condition holds; rejects after 25 seconds, before a test would be cut off without a word. */
export async function eventually(condition: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = performance.now() + WAIT_MS_MAX;
  while (!(await condition())) {
    if (performance.now() > endMs) throw new Error(`after ${WAIT_MS_MAX} ms still not: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
