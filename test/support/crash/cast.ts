/**
 * Who takes part in the crash rounds: the connections with their habits and keys, and what they share.
 *
 * Of several commands of one pipeline whose replies have not come, a later one may be on disk without an earlier one of another shard
 * (docs/durability.md). A session that pipelines therefore has all of its keys in one shard, by a hash tag: there the first n for some
 * n must have happened. Changes over several shards are up to sessions that wait for each reply, and to what all share.
 */
import type { Chance } from './chance.ts';
import { chooseKeys, type Habit } from './choose.ts';
import type { Role } from './clients.ts';
import { createCounter, createHistory, createRegister, createSession, type History } from './history.ts';

const SESSIONS: readonly { name: string; depth: number; habit: Habit; databases: readonly number[] }[] = [
  { name: 'single', depth: 1, habit: 'mixed', databases: [0] },
  { name: 'second', depth: 1, habit: 'mixed', databases: [0] },
  { name: 'third', depth: 1, habit: 'mixed', databases: [0] },
  { name: 'sole swap', depth: 1, habit: 'swapping', databases: [8, 9] },
  { name: 'short', depth: 8, habit: 'mixed', databases: [0] },
  { name: 'deep', depth: 64, habit: 'mixed', databases: [0] },
  { name: 'large', depth: 3, habit: 'large', databases: [0] },
  { name: 'brief', depth: 6, habit: 'brief', databases: [0] },
  { name: 'flush', depth: 8, habit: 'flushing', databases: [5] },
  { name: 'collector', depth: 1, habit: 'collecting', databases: [0] },
  { name: 'collectors', depth: 16, habit: 'collecting', databases: [0] },
  { name: 'wide', depth: 4, habit: 'wide', databases: [0] },
  { name: 'swap', depth: 8, habit: 'swapping', databases: [6, 7] },
];
const READERS: readonly Role[] = [
  { name: 'reader', depth: 1 },
  { name: 'pipelining reader', depth: 8 },
];
const SINGLE_REGISTERS = 4;
const GROUPS = 4;
const GROUP_KEYS = 8;
const COUNTERS = 3;

/** The same roles and keys for the same chance. */
export function createCast(chance: Chance): { roles: readonly Role[]; history: History } {
  const roles = SESSIONS.map(({ name, depth, habit, databases }): Role => {
    const session = createSession(depth === 1 ? `${name}:` : `{${name}}:`, databases);
    return { name, depth, session: { session, keys: chooseKeys(session.prefix, chance), habit } };
  });
  const registers = [
    ...Array.from({ length: SINGLE_REGISTERS }, (_, i) => createRegister([`register:${i}`])),
    ...Array.from({ length: GROUPS }, (_, i) =>
      createRegister(Array.from({ length: GROUP_KEYS }, (_, j) => `group:${i}:${j}`)),
    ),
  ];
  const counters = Array.from({ length: COUNTERS }, (_, i) => createCounter(`counter:${i}`));
  const sessions = roles.flatMap(({ session }) => (session === undefined ? [] : [session.session]));
  const history = createHistory(sessions, registers, counters);
  return { roles: [...roles, ...READERS], history };
}
