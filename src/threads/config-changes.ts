/**
 * CONFIG SET and CONFIG REWRITE across threads: main decides and keeps the configuration in force, the workers follow.
 *
 * A worker asks main over the bus; main checks against its own copy, applies, tells every thread, and answers when all of
 * them have applied, so that the client's OK means everywhere.
 */

import { prepareDirectives } from '../config/change.ts';
import { applyDirectives, type Change, type Config } from '../config/config.ts';
import { rewriteConfigOnDisk } from '../config/file.ts';
import { type Bus, handleTopic, requestAll } from './bus.ts';

/** Worker to main, with a ConfigSetRequest. Reply: the error to answer, or '' when it is in force everywhere. */
const TOPIC_SET = 'config-set';
/** Worker to main, no payload. Reply: the error to answer, or '' when the file is written. */
const TOPIC_REWRITE = 'config-rewrite';
/** Main to all, with the checked changes. */
const TOPIC_APPLY = 'config-apply';

type ConfigSetRequest = {
  readonly pairs: readonly (readonly [name: string, text: string])[];
  readonly clientIsLocal: boolean;
};

const NO_FILE = 'ERR The server is running without a config file';

/**
 * Makes the calling thread, main, the one that decides over `config`; `userLines` are what the file is to say of users. `settle` does what a change takes besides; what it
 * resolves to is the error to answer, '' for none.
 */
export function decideConfigChanges(
  bus: Bus,
  config: Config,
  settle: (changes: readonly Change[]) => Promise<string>,
  userLines: () => readonly string[],
): void {
  let rewriting: Promise<unknown> = Promise.resolve();
  handleTopic<ConfigSetRequest>(bus, TOPIC_SET, async ({ pairs, clientIsLocal }) => {
    const prepared = prepareDirectives(config, pairs, clientIsLocal);
    if ('error' in prepared) return prepared.error;
    const before = prepared.changes.map(([name]): Change => [name, config.texts[name]]);
    await applyEverywhere(bus, config, prepared.changes);
    const trouble = await settle(prepared.changes);
    // As redis-server: what cannot be put in force is taken back, all of it.
    if (trouble !== '') {
      await applyEverywhere(bus, config, before);
      await settle(before);
    }
    return trouble;
  });
  // One after the other: each writes the same file.
  handleTopic(bus, TOPIC_REWRITE, () => {
    const rewritten = rewriting.then(() => rewriteConfig(config, userLines()));
    rewriting = rewritten;
    return rewritten;
  });
}

async function applyEverywhere(bus: Bus, config: Config, changes: readonly Change[]): Promise<void> {
  applyDirectives(config, changes);
  await requestAll(bus, TOPIC_APPLY, changes);
}

/** Lets a worker's copy follow main's; `onApplied` puts in force what is not read from the copy at each use. */
export function followConfigChanges(
  bus: Bus,
  config: Config,
  onApplied: (changes: readonly Change[]) => void,
): void {
  handleTopic<readonly Change[]>(bus, TOPIC_APPLY, (changes) => {
    applyDirectives(config, changes);
    onApplied(changes);
  });
}

async function rewriteConfig(config: Config, userLines: readonly string[]): Promise<string> {
  if (config.configFile === undefined) return NO_FILE;
  const trouble = await rewriteConfigOnDisk(config.configFile, config, userLines);
  return trouble === undefined ? '' : `ERR ${trouble}`;
}
