/** The scales of a plot's value axis: where values lie, which of them get a line, and how numbers read there. Pure. */

/** `at` gives 0 for the foot of the axis and 1 for its top; values beyond lie on the edge. */
export type Scale = { readonly ticks: readonly number[]; readonly at: (value: number) => number };

/** Steps that read well, times a power of ten (Heckbert, "Nice numbers for graph labels"). */
const NICE_STEPS = [1, 2, 2.5, 5, 10];
const TICKS_WANTED = 5;
const LARGE_UNITS = [
  { unit: 1e9, letter: 'G' },
  { unit: 1e6, letter: 'M' },
  { unit: 1e3, letter: 'k' },
];
const SIGNIFICANT_DIGITS = 3;

/** From 0 to a round number that is at least `largest`. */
export function linearScale(largest: number): Scale {
  const top = largest > 0 ? largest : 1;
  const rough = top / TICKS_WANTED;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * (NICE_STEPS.find((nice) => nice * power >= rough * (1 - Number.EPSILON)) ?? 10);
  const count = Math.ceil(top / step - 1e-9);
  const end = count * step;
  return {
    ticks: Array.from({ length: count + 1 }, (_, index) => Number((index * step).toPrecision(12))),
    at: (value) => within(value / end),
  };
}

/** Powers of ten around the two, both above 0. */
export function logScale(least: number, largest: number): Scale {
  const low = Math.floor(Math.log10(least) + 1e-9);
  const high = Math.max(low + 1, Math.ceil(Math.log10(largest) - 1e-9));
  return {
    ticks: Array.from({ length: high - low + 1 }, (_, index) => Number((10 ** (low + index)).toPrecision(3))),
    at: (value) => within((Math.log10(value) - low) / (high - low)),
  };
}

/** Three significant digits with k, M or G where the number is large: `1.25M`, `830`, `0.05`. */
export function shortNumber(value: number): string {
  const rounded = Number(value.toPrecision(SIGNIFICANT_DIGITS));
  const large = LARGE_UNITS.find(({ unit }) => Math.abs(rounded) >= unit);
  if (large === undefined) return String(rounded);
  return `${Number((rounded / large.unit).toPrecision(SIGNIFICANT_DIGITS))}${large.letter}`;
}

function within(share: number): number {
  return Math.min(1, Math.max(0, share));
}
