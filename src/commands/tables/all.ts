/**
 * All rows of the command tables, by name.
 *
 * Any thread, never changed.
 */
import type { CommandSpec } from '../spec.ts';
import { ACL_COMMANDS } from './acl.ts';
import { BITMAP_COMMANDS } from './bitmaps.ts';
import { BLOCKING_LIST_COMMANDS, BLOCKING_SORTED_SET_COMMANDS } from './blocking.ts';
import { CACHE_COMMANDS } from './cache.ts';
import { CLIENT_COMMANDS } from './client.ts';
import { CLUSTER_COMMANDS } from './cluster.ts';
import { COMMAND_COMMANDS } from './command.ts';
import { CONNECTION_COMMANDS } from './connection.ts';
import { DIAGNOSTIC_COMMANDS } from './diagnostics.ts';
import { EXPIRY_COMMANDS } from './expiry.ts';
import { GENERIC_COMMANDS } from './generic.ts';
import { HASH_DEADLINE_COMMANDS } from './hash-deadlines.ts';
import { HASH_COMMANDS } from './hashes.ts';
import { HYPERLOGLOG_COMMANDS } from './hyperloglog.ts';
import { LIST_COMMANDS } from './lists.ts';
import { NUMBER_COMMANDS } from './numbers.ts';
import { PUBSUB_COMMANDS } from './pubsub.ts';
import { REPLICATION_COMMANDS } from './replication.ts';
import { SCRIPTING_COMMANDS } from './scripting.ts';
import { SERVER_COMMANDS } from './server.ts';
import { SET_COMMANDS } from './sets.ts';
import { SORT_COMMANDS } from './sort.ts';
import { SORTED_SET_ALGEBRA_COMMANDS } from './sorted-set-algebra.ts';
import { SORTED_SET_RANGE_COMMANDS } from './sorted-set-ranges.ts';
import { SORTED_SET_COMMANDS } from './sorted-sets.ts';
import { STRING_COMMANDS } from './strings.ts';
import { TRANSACTION_COMMANDS } from './transactions.ts';

/** Every command that the server has, containers with their subcommands in them, in alphabetical order. */
export const ALL_COMMANDS: readonly CommandSpec[] = [
  ...ACL_COMMANDS,
  ...BITMAP_COMMANDS,
  ...BLOCKING_LIST_COMMANDS,
  ...BLOCKING_SORTED_SET_COMMANDS,
  ...CACHE_COMMANDS,
  ...CLIENT_COMMANDS,
  ...CLUSTER_COMMANDS,
  ...COMMAND_COMMANDS,
  ...CONNECTION_COMMANDS,
  ...DIAGNOSTIC_COMMANDS,
  ...EXPIRY_COMMANDS,
  ...GENERIC_COMMANDS,
  ...HASH_COMMANDS,
  ...HASH_DEADLINE_COMMANDS,
  ...HYPERLOGLOG_COMMANDS,
  ...LIST_COMMANDS,
  ...NUMBER_COMMANDS,
  ...PUBSUB_COMMANDS,
  ...REPLICATION_COMMANDS,
  ...SCRIPTING_COMMANDS,
  ...SERVER_COMMANDS,
  ...SET_COMMANDS,
  ...SORT_COMMANDS,
  ...SORTED_SET_ALGEBRA_COMMANDS,
  ...SORTED_SET_COMMANDS,
  ...SORTED_SET_RANGE_COMMANDS,
  ...STRING_COMMANDS,
  ...TRANSACTION_COMMANDS,
].sort((a, b) => (a.name < b.name ? -1 : 1));
