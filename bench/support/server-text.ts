/** Reads what a server tells of itself: fields of INFO and samples of /metrics. Pure. */

/** One line of the Prometheus text format. */
export type Sample = { labels: Readonly<Record<string, string>>; value: number };

/** The number of a field of INFO. Throws where the field is missing or no number. */
export function infoNumber(info: string, field: string): number {
  const match = new RegExp(`^${field}:(-?[0-9.]+)\\r?$`, 'm').exec(info);
  if (match === null) throw new Error(`INFO has no number ${field}`);
  return Number(match[1]);
}

/** All samples of one name, e.g. `x_bucket` of a histogram `x`. */
export function samplesOf(text: string, name: string): Sample[] {
  const line = new RegExp(`^${name}(?:\\{(.*)\\})? (\\S+)$`, 'gm');
  return [...text.matchAll(line)].map(([, labels = '', value]) => ({
    labels: Object.fromEntries([...labels.matchAll(/(\w+)="([^"]*)"/g)].map((pair) => [pair[1], pair[2]])),
    value: sampleNumber(value),
  }));
}

/** The sum over all shards (or workers) of one name; 0 where there are none. */
export function sampleSum(text: string, name: string): number {
  return samplesOf(text, name).reduce((sum, { value }) => sum + value, 0);
}

/** The largest over all shards of one name. Throws where there is none. */
export function sampleMax(text: string, name: string): number {
  const samples = samplesOf(text, name);
  if (samples.length === 0) throw new Error(`/metrics has no ${name}`);
  return Math.max(...samples.map(({ value }) => value));
}

/** The cumulative buckets of a histogram over all shards: at most `bound`, so many. Ends with the infinite bound. */
export function histogramBuckets(text: string, name: string): { bound: number; count: number }[] {
  const counts = new Map<number, number>();
  for (const { labels, value } of samplesOf(text, `${name}_bucket`)) {
    const bound = sampleNumber(labels.le ?? '+Inf');
    counts.set(bound, (counts.get(bound) ?? 0) + value);
  }
  return [...counts].map(([bound, count]) => ({ bound, count })).toSorted((a, b) => a.bound - b.bound);
}

function sampleNumber(text: string): number {
  return text === '+Inf' ? Infinity : Number(text);
}
