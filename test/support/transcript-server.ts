/**
 * Servers that transcripts are played on: ours, whose metrics say everything, and redis-server, whose INFO says some of it.
 */
import { expect } from 'vitest';
import { type Case, type Counts, createStage, playBlock, type Stage, wrongChanges } from './transcript.ts';
import { openWire, type Wire } from './wire.ts';

export type PlayedServer = {
  readonly stage: Stage;
  /** Sets up a case; none of the transcripts' connections. */
  readonly control: Wire;
  readonly counts: () => Promise<Counts>;
  readonly stop: () => Promise<unknown>;
};

/** Counters of INFO that have a metric of ours. */
const INFO_COUNTERS: Readonly<Record<string, string>> = {
  keyspace_hits: 'keyspace_hits_total',
  keyspace_misses: 'keyspace_misses_total',
  total_error_replies: 'error_replies_total',
  total_commands_processed: 'commands_total',
  expired_keys: 'shard_expired_keys_total',
  evicted_keys: 'shard_evicted_keys_total',
};

const ERROR_LINE = /^errorstat_([^:]+):count=(\d+)/gm;
const COMMAND_LINE = /^cmdstat_([^:]+):calls=(\d+),.*rejected_calls=(\d+),failed_calls=(\d+)/gm;

/** Counters of connections follow when both sides have closed: so long after the last reply they may be wrong. */
const SETTLE_MS_MAX = 10_000;

/** The stage and its control on a server that was started with these flags. */
export async function openStage(
  port: number,
  flags: readonly string[],
): Promise<Omit<PlayedServer, 'counts' | 'stop'>> {
  const control = await openWire(port);
  const passwordAt = flags.indexOf('--requirepass') + 1;
  if (passwordAt > 0) expect(await control.ask('AUTH', flags[passwordAt])).toBe('+OK');
  return { stage: createStage(port), control };
}

/** Plays a case from an empty keyspace, and compares replies and counters block by block. */
export async function playCase(server: PlayedServer, { blocks }: Case): Promise<void> {
  const { stage, control, counts } = server;
  await prepare(stage, control);
  await settled(async () => {
    const open = (await counts()).get('connections_open')?.value;
    return open === undefined || open === 2 ? [] : [`${open} connections are open`];
  });
  let before = await counts();
  for (const block of blocks) {
    await playBlock(stage, block).catch((error) => {
      // What is left of its replies is nothing for the next case.
      stage.wires.get('')?.close();
      throw error;
    });
    let after = before;
    const wrong = await settled(async () => {
      after = await counts();
      return wrongChanges(block, stage, before, after);
    });
    expect(wrong, `block of line ${block.lineNumber}`).toEqual([]);
    before = after;
  }
}

async function prepare(stage: Stage, control: Wire): Promise<void> {
  for (const [name, wire] of stage.wires) {
    if (name !== '' || wire.socket.destroyed) {
      wire.close();
      stage.wires.delete(name);
    }
  }
  // The last case may have had it closed, and nobody knows yet.
  const answer = await stage.wires
    .get('')
    ?.ask('RESET')
    .catch(() => undefined);
  if (answer === undefined) {
    const wire = await openWire(stage.port);
    stage.wires.set('', wire);
    expect(await wire.ask('RESET')).toBe('+RESET');
  }
  expect(await control.ask('FLUSHALL')).toBe('+OK');
}

/** Looks again and again until nothing is wrong, and answers what is wrong in the end. */
async function settled(look: () => Promise<string[]>): Promise<string[]> {
  const endMs = performance.now() + SETTLE_MS_MAX;
  for (;;) {
    const wrong = await look();
    if (wrong.length === 0 || performance.now() > endMs) return wrong;
  }
}

/** What redis-server counts of what we count. Asking it counts as well: that is left out. */
export function infoCounts(control: Wire): () => Promise<Counts> {
  let asked = 0;
  return async () => {
    const text = String(await control.ask('INFO', 'everything'));
    asked += 1;
    const counts = new Map<string, { value: number; isCounter: boolean }>();
    const add = (name: string, value: number) => counts.set(name, { value, isCounter: true });
    for (const [, field, value] of text.matchAll(/^(\w+):(\d+)\r$/gm)) {
      if (field in INFO_COUNTERS) add(INFO_COUNTERS[field], Number(value));
    }
    for (const [, prefix, count] of text.matchAll(ERROR_LINE)) {
      add(`errors_total{prefix="${prefix}"}`, Number(count));
    }
    for (const [, command, calls, rejected, failed] of text.matchAll(COMMAND_LINE)) {
      if (command === 'info') continue;
      add(`command_calls_total{command="${command}"}`, Number(calls));
      add(`command_rejected_calls_total{command="${command}"}`, Number(rejected));
      add(`command_failed_calls_total{command="${command}"}`, Number(failed));
    }
    add('commands_total', (counts.get('commands_total')?.value ?? 0) - asked);
    return counts;
  };
}
