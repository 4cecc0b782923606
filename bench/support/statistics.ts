/** Medians and spreads of repeated runs, and what may be said of two of them. Pure. */

/** What several runs of one thing measured. */
export type Spread = { median: number; min: number; max: number };

/** The median (the mean of the two middle ones for an even count), least and largest of at least one value. */
export function spreadOf(values: readonly number[]): Spread {
  if (values.length === 0) throw new RangeError('a spread needs at least one value');
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return { median, min: sorted[0], max: sorted[sorted.length - 1] };
}

/** Whether two spreads share a value: then the runs do not show which is larger. */
export function spreadsOverlap(one: Spread, other: Spread): boolean {
  return one.min <= other.max && other.min <= one.max;
}

/** `1.42x`: the ratio of the medians, with a note where the runs do not tell the two apart. */
export function ratioText(ours: Spread, theirs: Spread): string {
  if (theirs.median === 0) return '-';
  const ratio = `${(ours.median / theirs.median).toFixed(2)}x`;
  return spreadsOverlap(ours, theirs) ? `${ratio} (not distinguishable)` : ratio;
}

/** The value below which a share of the values lies (nearest rank). `share` is in (0, 1]. */
export function quantileOf(values: readonly number[], share: number): number {
  if (values.length === 0) throw new RangeError('a quantile needs at least one value');
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}
