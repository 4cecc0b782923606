/** Tables of results as Markdown, aligned so that they read as plain text too, and numbers for their cells. Pure. */
import type { Spread } from './statistics.ts';

/** A column: numbers are set to the right. */
export type Column = { heading: string; align: 'left' | 'right' };

/** The table, ending with a line feed. Every row has a cell for every column; a `|` in a cell is escaped. */
export function markdownTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const escaped = rows.map((row) => row.map((cell) => cell.replaceAll('|', '\\|')));
  const widths = columns.map(({ heading }, index) =>
    Math.max(3, heading.length, ...escaped.map((row) => row[index].length)),
  );
  const rule = columns.map(({ align }, index) =>
    align === 'right' ? `${'-'.repeat(widths[index] - 1)}:` : '-'.repeat(widths[index]),
  );
  const body = [columns.map(({ heading }) => heading), rule, ...escaped];
  return body.map((cells) => tableLine(cells, columns, widths)).join('');
}

function tableLine(cells: readonly string[], columns: readonly Column[], widths: readonly number[]): string {
  const padded = cells.map((cell, index) =>
    columns[index].align === 'right' ? cell.padStart(widths[index]) : cell.padEnd(widths[index]),
  );
  return `| ${padded.join(' | ')} |\n`;
}

/** `median (least-largest)`, each divided by `unit` and with so many digits behind the point. */
export function spreadText({ median, min, max }: Spread, unit: number, digits: number): string {
  const [middle, low, high] = [median, min, max].map((value) => (value / unit).toFixed(digits));
  return low === high ? middle : `${middle} (${low}-${high})`;
}

/** Bytes as MiB with one digit. */
export function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

export function percentText(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
