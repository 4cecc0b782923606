/** What the results were measured on: recorded with every run. */
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';

export type Machine = {
  processor: string;
  cores: number;
  memoryGib: number;
  kernel: string;
  node: string;
  /** ISO 8601, UTC. */
  date: string;
  /** Over the last minute, when the description was made. Far above what the benchmark itself uses: not quiet. */
  loadAverage: number;
  versions: readonly string[];
};

/** This machine, this moment, and the versions of what is compared. */
export function describeMachine(versions: readonly string[]): Machine {
  return {
    processor: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGib: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    date: new Date().toISOString(),
    loadAverage: Number(loadavg()[0].toFixed(2)),
    versions,
  };
}

/** The same as a few lines for people. */
export function machineText(machine: Machine): string {
  const { processor, cores, memoryGib, kernel, node, date, loadAverage, versions } = machine;
  return [
    `- machine: ${cores} x ${processor}, ${memoryGib} GiB, Linux ${kernel}`,
    `- software: ${[`node ${node}`, ...versions].join(', ')}`,
    `- date: ${date}, load average ${loadAverage}`,
    '',
    '',
  ].join('\n');
}
