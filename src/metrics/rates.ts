/**
 * Instantaneous rates, as redis-server's INFO shows them: the mean of the last 16 samples, one taken every 100 ms from
 * running totals. Written by the main thread's timer into shared memory, read by any thread.
 *
 * Three rows of 18 float64 words, one per rate:
 *
 *   0            1             2 .. 17
 *  ┌────────────┬─────────────┬──────────────────────────┐
 *  │ LAST_TOTAL │ LAST_AT_MS  │ SAMPLES, per second      │
 *  └────────────┴─────────────┴──────────────────────────┘
 *
 * then one word that counts the ticks (the next sample goes to place `ticks mod 16`), and one for the most memory that a
 * tick has seen in use.
 */
const SAMPLE_COUNT = 16;
const LAST_TOTAL = 0;
const LAST_AT_MS = 1;
const SAMPLES = 2;
const ROW_WORDS = SAMPLES + SAMPLE_COUNT;
const COMMANDS_ROW = 0;
const BYTES_IN_ROW = ROW_WORDS;
const BYTES_OUT_ROW = 2 * ROW_WORDS;
const TICKS = 3 * ROW_WORDS;
const BYTES_PER_KILOBYTE = 1024;

const PEAK_USED_BYTES = TICKS + 1;

export const RATES_WORDS = PEAK_USED_BYTES + 1;

/** How often `sampleRates` should be called. */
export const RATES_TICK_MS = 100;

/** Means over the last 1.6 seconds. `Kbps` is kilobytes of 1024 bytes per second, as in redis-server. */
export type RatesReading = { opsPerSecond: number; inputKbps: number; outputKbps: number };

/** Takes one sample. The first call only notes the totals; a total that fell (a reset) counts as no progress. */
export function sampleRates(
  rates: Float64Array,
  nowMs: number,
  totals: { commands: number; bytesIn: number; bytesOut: number },
): void {
  sampleRow(rates, COMMANDS_ROW, nowMs, totals.commands);
  sampleRow(rates, BYTES_IN_ROW, nowMs, totals.bytesIn);
  sampleRow(rates, BYTES_OUT_ROW, nowMs, totals.bytesOut);
  rates[TICKS]++;
}

/** Notes how many bytes are in use. */
export function sampleUsedBytes(rates: Float64Array, usedBytes: number): void {
  rates[PEAK_USED_BYTES] = Math.max(rates[PEAK_USED_BYTES], usedBytes);
}

/** The most bytes that were in use at any tick. */
export function peakUsedBytes(rates: Float64Array): number {
  return rates[PEAK_USED_BYTES];
}

export function readRates(rates: Float64Array): RatesReading {
  return {
    opsPerSecond: meanOfRow(rates, COMMANDS_ROW),
    inputKbps: meanOfRow(rates, BYTES_IN_ROW) / BYTES_PER_KILOBYTE,
    outputKbps: meanOfRow(rates, BYTES_OUT_ROW) / BYTES_PER_KILOBYTE,
  };
}

function sampleRow(rates: Float64Array, row: number, nowMs: number, total: number): void {
  const ticks = rates[TICKS];
  const elapsedMs = nowMs - rates[row + LAST_AT_MS];
  const grown = Math.max(0, total - rates[row + LAST_TOTAL]);
  if (ticks > 0)
    rates[row + SAMPLES + ((ticks - 1) % SAMPLE_COUNT)] = elapsedMs > 0 ? (grown * 1000) / elapsedMs : 0;
  rates[row + LAST_TOTAL] = total;
  rates[row + LAST_AT_MS] = nowMs;
}

function meanOfRow(rates: Float64Array, row: number): number {
  let sum = 0;
  for (let i = 0; i < SAMPLE_COUNT; i++) sum += rates[row + SAMPLES + i];
  return sum / SAMPLE_COUNT;
}
