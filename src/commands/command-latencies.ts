/**
 * The latencies of commands over all threads, as histograms of which any quantile can be told.
 *
 * Any thread that has an Engine.
 */
import { openAllCounters, openAllLatencies } from '../metrics/counters.ts';
import { recordedCount } from '../metrics/histogram.ts';
import { commandLatencies } from '../metrics/latencies.ts';
import type { Command } from './call.ts';
import type { Engine } from './engine.ts';
import { allCommands } from './registry.ts';

/** `histogram` (metrics/histogram.ts) holds nanoseconds, and is not empty. */
export type CommandLatency = { readonly name: string; readonly histogram: Float64Array };

/** Of every command that has any, subcommands behind their containers. Some ten microseconds for each. */
export function readCommandLatencies(engine: Engine): CommandLatency[] {
  return latenciesOfCommands(engine, allCommands());
}

/** Of these commands and their subcommands, those that have any. */
export function latenciesOfCommands(engine: Engine, commands: readonly Command[]): CommandLatency[] {
  const counters = openAllCounters(engine.allCounters);
  const latencies = openAllLatencies(engine.allCounters);
  const found = commands
    .flatMap((command) => [command, ...(command.subcommands?.values() ?? [])])
    .map(({ id, spec }) => ({ name: spec.name, histogram: commandLatencies(counters, latencies, id) }));
  return found.filter(({ histogram }) => recordedCount(histogram) > 0);
}
