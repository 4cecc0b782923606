/** Tests of the instantaneous rates with a clock of their own. */
import { expect, test } from 'vitest';
import { RATES_TICK_MS, RATES_WORDS, readRates, sampleRates } from '../../src/metrics/rates.ts';

const START_MS = 1_700_000_000_000;

/** Ticks of `stepMs`, each with `commands` more commands and ten and twenty times as many KiB in and out. */
function ratesAfter(ticks: number, commands: number, stepMs = RATES_TICK_MS): Float64Array {
  const rates = new Float64Array(RATES_WORDS);
  for (let tick = 0; tick <= ticks; tick++) {
    const total = 1_000_000 + tick * commands;
    sampleRates(rates, START_MS + tick * stepMs, {
      commands: total,
      bytesIn: total * 10_240,
      bytesOut: total * 20_480,
    });
  }
  return rates;
}

test('rates are zero before the first sample and after it, when only the totals are known', () => {
  expect(readRates(new Float64Array(RATES_WORDS))).toEqual({ opsPerSecond: 0, inputKbps: 0, outputKbps: 0 });
  expect(readRates(ratesAfter(0, 50))).toEqual({ opsPerSecond: 0, inputKbps: 0, outputKbps: 0 });
});

test('a steady load shows its rate after sixteen samples, and for ever after', () => {
  for (const ticks of [16, 17, 31, 32, 1000]) {
    expect(readRates(ratesAfter(ticks, 50))).toEqual({
      opsPerSecond: 500,
      inputKbps: 5000,
      outputKbps: 10_000,
    });
  }
});

test('the mean is over sixteen samples, so a load that began half that time ago shows half its rate', () => {
  expect(readRates(ratesAfter(8, 50)).opsPerSecond).toBe(250);
});

test('a load that ended has left the mean after sixteen samples', () => {
  const rates = ratesAfter(16, 50);
  const totals = { commands: 1_000_800, bytesIn: 1_000_800 * 10_240, bytesOut: 1_000_800 * 20_480 };
  for (let tick = 1; tick <= 16; tick++) {
    sampleRates(rates, START_MS + (16 + tick) * RATES_TICK_MS, totals);
    expect(readRates(rates).opsPerSecond).toBeCloseTo((500 * (16 - tick)) / 16, 9);
  }
});

test('a late tick counts for the time that really passed', () => {
  expect(readRates(ratesAfter(16, 50, 250)).opsPerSecond).toBe(200);
});

test('totals that fall, and a clock that stands still or steps back, give no rate at all', () => {
  const rates = new Float64Array(RATES_WORDS);
  const totals = (commands: number) => ({ commands, bytesIn: 0, bytesOut: 0 });
  sampleRates(rates, START_MS, totals(100));
  sampleRates(rates, START_MS + 100, totals(0));
  sampleRates(rates, START_MS + 100, totals(50));
  sampleRates(rates, START_MS, totals(100));
  expect(readRates(rates).opsPerSecond).toBe(0);
});
