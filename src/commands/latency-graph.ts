/**
 * The picture of LATENCY GRAPH: a series of numbers as columns of characters, with a label under each.
 *
 * Pure; any thread. The same characters as redis-server 7.0.15 (`sparkline.c`, filled, four rows).
 */
import type { LatencySeries } from '../metrics/latency-events.ts';

const COLUMNS = 80;
const ROWS = 4;
/** A row shows three heights; what stands higher than a row is a bar in it. */
const HEIGHTS = '_o#';
const BAR = '|';
const STEPS = HEIGHTS.length * ROWS;

const SECONDS_PER_MINUTE = 60;
const SECONDS_PER_HOUR = 3600;
const SECONDS_PER_DAY = 86_400;

type Column = { readonly value: number; readonly label: string };

/** The report on one event, which has at least one sample; at `nowMs` since the epoch. */
export function latencyGraph(event: string, { samples, maxMs }: LatencySeries, nowMs: number): string {
  const nowSeconds = Math.floor(nowMs / 1000);
  const columns = samples.map(({ atSeconds, latencyMs }) => ({
    value: latencyMs,
    label: ageText(nowSeconds - atSeconds),
  }));
  const values = columns.map(({ value }) => value);
  const low = Math.min(...values);
  const high = Math.max(...values);
  const parts: string[] = [];
  for (let at = 0; at < columns.length; at += COLUMNS) {
    parts.push(renderColumns(columns.slice(at, at + COLUMNS), low, high));
  }
  const title = `${event} - high ${high} ms, low ${low} ms (all time high ${maxMs} ms)`;
  return `${title}\n${'-'.repeat(COLUMNS)}\n${parts.join('\n')}`;
}

/** The graph, an empty line, and the labels from top to bottom. */
function renderColumns(columns: readonly Column[], low: number, high: number): string {
  const steps = columns.map(({ value }) => stepOf(value, low, high));
  const lines: string[] = [];
  for (let row = 0; row < ROWS; row += 1) {
    lines.push(steps.map((step) => heightIn(row, step)).join(''));
  }
  lines.push(' '.repeat(columns.length));
  const labelLength = Math.max(...columns.map(({ label }) => label.length));
  for (let at = 0; at < labelLength; at += 1)
    lines.push(columns.map(({ label }) => label[at] ?? ' ').join(''));
  return lines.map((line) => `${line}\n`).join('');
}

function stepOf(value: number, low: number, high: number): number {
  const range = high === low ? 1 : high - low;
  return Math.min(STEPS - 1, Math.floor(((value - low) * STEPS) / range));
}

function heightIn(row: number, step: number): string {
  const height = step - (ROWS - row - 1) * HEIGHTS.length;
  if (height < 0) return ' ';
  return height < HEIGHTS.length ? HEIGHTS[height] : BAR;
}

function ageText(seconds: number): string {
  if (seconds < SECONDS_PER_MINUTE) return `${seconds}s`;
  if (seconds < SECONDS_PER_HOUR) return `${Math.floor(seconds / SECONDS_PER_MINUTE)}m`;
  if (seconds < SECONDS_PER_DAY) return `${Math.floor(seconds / SECONDS_PER_HOUR)}h`;
  return `${Math.floor(seconds / SECONDS_PER_DAY)}d`;
}
