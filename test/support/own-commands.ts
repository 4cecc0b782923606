/** Commands of this server that redis-server 7.0.15 does not have: newer ones, and its own. */
import { ALL_COMMANDS } from '../../src/commands/tables/all.ts';
import { REDIS_COMMANDS } from '../../src/commands/tables/redis-commands.ts';

const REDIS_NAMES = new Set(REDIS_COMMANDS.flatMap(({ names }) => names.split(' ')));

/** Full names; `container|sub` of subcommands. */
export const OWN_COMMANDS: ReadonlySet<string> = new Set(
  ALL_COMMANDS.flatMap((spec) => [spec, ...(spec.subcommands ?? [])])
    .map(({ name }) => name)
    .filter((name) => !REDIS_NAMES.has(name)),
);
