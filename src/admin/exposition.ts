/**
 * The two text formats in which scrapers read metrics: Prometheus text 0.0.4
 * (https://prometheus.io/docs/instrumenting/exposition_formats/) and OpenMetrics 1.0
 * (https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md). Pure; main thread.
 *
 * A page is one growing text. Of what a family is, the formats agree but for this: in OpenMetrics a counter's family has no
 * `_total`, a unit has a line of its own, quotes in a help text are escaped, and the page ends with `# EOF`.
 */
import type { HistogramReading } from '../metrics/histogram.ts';
import type { Metric } from '../metrics/names.ts';
import { chooseOffer } from './accept.ts';

export type Dialect = 'text' | 'open-metrics';

export type Page = { readonly dialect: Dialect; text: string };

export const CONTENT_TYPES: Readonly<Record<Dialect, string>> = {
  text: 'text/plain; version=0.0.4; charset=utf-8',
  'open-metrics': 'application/openmetrics-text; version=1.0.0; charset=utf-8',
};

const OFFERS = [
  { type: 'text/plain', dialect: 'text' },
  { type: 'application/openmetrics-text', versions: ['1.0.0', '0.0.1'], dialect: 'open-metrics' },
] as const;

/** What a client that sent this `Accept` header prefers; text where it names nothing that there is. */
export function chooseDialect(accept: string | undefined): Dialect {
  return chooseOffer(accept, OFFERS).dialect;
}

export function createPage(dialect: Dialect): Page {
  return { dialect, text: '' };
}

/** The whole text, once everything is on the page. */
export function finishPage(page: Page): string {
  return page.dialect === 'open-metrics' ? `${page.text}# EOF\n` : page.text;
}

/** The labels of a series, in this order: `shard="3",state="open"`. */
export function labelText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${escapeText(value).replaceAll('"', '\\"')}"`)
    .join(',');
}

/** A family of one series without labels. */
export function writeNumber(page: Page, metric: Metric, value: number): void {
  writeFamily(page, metric, [value], [''], Number);
}

/** A family with one series for each item, under the labels at the same place; nothing where there are no items. */
export function writeFamily<Item>(
  page: Page,
  metric: Metric,
  items: readonly Item[],
  labels: readonly string[],
  numberOf: (item: Item) => number,
): void {
  if (items.length === 0) return;
  const { name } = metric;
  let text = headOf(page, metric);
  for (let at = 0; at < items.length; at += 1) {
    const braced = labels[at] === '' ? '' : `{${labels[at]}}`;
    text += `${name}${braced} ${numberText(numberOf(items[at]))}\n`;
  }
  page.text += text;
}

/** A family of summaries: of each item the sum and the count. `scale` brings the sum to the unit of the name. */
export function writeSummaries(
  page: Page,
  metric: Metric,
  items: readonly HistogramReading[],
  labels: readonly string[],
  scale: number,
): void {
  if (items.length === 0) return;
  let text = headOf(page, metric);
  for (let at = 0; at < items.length; at += 1) text += sumAndCount(metric.name, items[at], labels[at], scale);
  page.text += text;
}

/** Which buckets of a reading are shown, each with the text of its bound in the unit of the name; see `createBounds`. */
export type Bounds = { readonly shown: ReadonlyMap<number, string>; readonly scale: number };

/**
 * Of a histogram's bounds the powers of two from `bitsMin` to `bitsMax`, every `bitsStep`-th; `perUnit` of the values are one
 * of the name's unit.
 */
export function createBounds(bitsMin: number, bitsMax: number, bitsStep: number, perUnit: number): Bounds {
  const shown = new Map<number, string>();
  for (let bits = bitsMin; bits <= bitsMax; bits += bitsStep) {
    // Divided, not scaled: the text is then the shortest that names the bound.
    shown.set(2 ** bits, boundText(2 ** bits / perUnit));
  }
  return { shown, scale: 1 / perUnit };
}

/** A family of histograms. A bucket counts the values under its bound, which the formats take as "at most". */
export function writeHistograms(
  page: Page,
  metric: Metric,
  items: readonly HistogramReading[],
  labels: readonly string[],
  { shown, scale }: Bounds,
): void {
  if (items.length === 0) return;
  const { name } = metric;
  let text = headOf(page, metric);
  for (let at = 0; at < items.length; at += 1) {
    const { below, count } = items[at];
    const before = labels[at] === '' ? '' : `${labels[at]},`;
    for (const bucket of below) {
      const bound = shown.get(bucket.bound);
      if (bound !== undefined) text += `${name}_bucket{${before}le="${bound}"} ${bucket.count}\n`;
    }
    text += `${name}_bucket{${before}le="+Inf"} ${count}\n${sumAndCount(name, items[at], labels[at], scale)}`;
  }
  page.text += text;
}

function headOf({ dialect }: Page, { name, type, unit, help }: Metric): string {
  const text = escapeText(help);
  if (dialect === 'text') return `# HELP ${name} ${text}\n# TYPE ${name} ${type}\n`;
  const family = type === 'counter' ? name.replace(/_total$/, '') : name;
  const unitLine = unit === '' ? '' : `# UNIT ${family} ${unit}\n`;
  return `# TYPE ${family} ${type}\n${unitLine}# HELP ${family} ${text.replaceAll('"', '\\"')}\n`;
}

function sumAndCount(name: string, { sum, count }: HistogramReading, labels: string, scale: number): string {
  const braced = labels === '' ? '' : `{${labels}}`;
  return `${name}_sum${braced} ${numberText(sum * scale)}\n${name}_count${braced} ${count}\n`;
}

function escapeText(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

/** A whole bound has a fraction too: OpenMetrics wants one, and the label should be the same in both formats. */
function boundText(bound: number): string {
  return Number.isInteger(bound) ? `${bound}.0` : `${bound}`;
}

/** A number as the formats (Go's ParseFloat) read it. */
function numberText(value: number): string {
  if (Number.isFinite(value) || Number.isNaN(value)) return `${value}`;
  return value > 0 ? '+Inf' : '-Inf';
}
