/**
 * The arguments of CLIENT TRACKING, and what is wrong with them: redis-server's texts, in its order.
 *
 * Pure; runs on the thread of the command. Source: Redis 7.0 `networking.c` (clientCommand) and `tracking.c`
 * (checkPrefixCollisionsOrReply).
 */
import { TRACKING_PREFIX_BYTES_MAX, TRACKING_PREFIXES_PER_CLIENT_MAX } from '../config/limits.ts';
import { argumentBytes, argumentText, isWord, NOT_AN_INTEGER, SYNTAX_ERROR } from './arguments.ts';
import type { Call } from './call.ts';
import { clientIdOf } from './client-id.ts';
import type { ClientTracking } from './client-tracking.ts';

export type TrackingOptions = {
  /** Undefined: neither ON nor OFF. */
  isOn: boolean | undefined;
  isBroadcast: boolean;
  isOptIn: boolean;
  isOptOut: boolean;
  isNoLoop: boolean;
  /** 0 where no other client is named. */
  redirect: number;
  /** One character per byte. */
  readonly prefixes: string[];
  /** What is wrong with the arguments; they are read no further. That `redirect` is not there is said before. */
  problem: string | undefined;
};

const FIRST_OPTION = 3;

export const NO_SUCH_CLIENT = 'ERR The client ID you want redirect to does not exist';
const REDIRECTS_TWICE = 'ERR A client can only redirect to a single other client';
const PREFIX_WITHOUT_BCAST = 'ERR PREFIX option requires BCAST mode to be enabled';
const SWITCHES_BCAST =
  "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with " +
  'a different mode.';
const BCAST_WITH_OPT = 'ERR OPTIN and OPTOUT are not compatible with BCAST';
const OPTIN_AND_OPTOUT = "ERR You can't specify both OPTIN mode and OPTOUT mode";
const SWITCHES_OPT =
  "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with " +
  'a different mode.';
const PREFIX_TOO_LONG = `ERR a prefix has at most ${TRACKING_PREFIX_BYTES_MAX} bytes`;
const TOO_MANY_PREFIXES = `ERR a client has at most ${TRACKING_PREFIXES_PER_CLIENT_MAX} prefixes`;

export function readTrackingOptions(call: Call): TrackingOptions {
  const options: TrackingOptions = {
    isOn: isWord(call, 2, 'ON') ? true : isWord(call, 2, 'OFF') ? false : undefined,
    isBroadcast: false,
    isOptIn: false,
    isOptOut: false,
    isNoLoop: false,
    redirect: 0,
    prefixes: [],
    problem: undefined,
  };
  let index = FIRST_OPTION;
  while (index < call.count && options.problem === undefined) index += readOption(call, index, options);
  return options;
}

/** What is wrong with switching a client over to these options; undefined: nothing. */
export function problemWith(
  options: TrackingOptions,
  current: ClientTracking | undefined,
): string | undefined {
  const { isBroadcast, isOptIn, isOptOut, prefixes } = options;
  if (options.problem !== undefined) return options.problem;
  if (options.isOn === undefined) return SYNTAX_ERROR;
  if (!options.isOn) return undefined;
  if (!isBroadcast && prefixes.length > 0) return PREFIX_WITHOUT_BCAST;
  if (current !== undefined && current.isBroadcast !== isBroadcast) return SWITCHES_BCAST;
  if (isBroadcast && (isOptIn || isOptOut)) return BCAST_WITH_OPT;
  if (isOptIn && isOptOut) return OPTIN_AND_OPTOUT;
  if ((isOptIn && current?.isOptOut) || (isOptOut && current?.isOptIn)) return SWITCHES_OPT;
  return isBroadcast ? problemWithPrefixes(prefixes, current?.prefixes ?? new Set()) : undefined;
}

/** Takes in the option at `index`; how many arguments it has. */
function readOption(call: Call, index: number, options: TrackingOptions): number {
  const hasValue = index + 1 < call.count;
  if (isWord(call, index, 'REDIRECT') && hasValue) return readRedirect(call, index + 1, options);
  if (isWord(call, index, 'PREFIX') && hasValue) return readPrefix(call, index + 1, options);
  if (isWord(call, index, 'BCAST')) options.isBroadcast = true;
  else if (isWord(call, index, 'OPTIN')) options.isOptIn = true;
  else if (isWord(call, index, 'OPTOUT')) options.isOptOut = true;
  else if (isWord(call, index, 'NOLOOP')) options.isNoLoop = true;
  else options.problem = SYNTAX_ERROR;
  return 1;
}

function readRedirect(call: Call, index: number, options: TrackingOptions): number {
  const id = clientIdOf(call, index);
  if (options.redirect !== 0) options.problem = REDIRECTS_TWICE;
  else if (Number.isNaN(id)) options.problem = NOT_AN_INTEGER;
  // No client has such a number.
  else if (id <= 0) options.problem = NO_SUCH_CLIENT;
  else options.redirect = id;
  return 2;
}

function readPrefix(call: Call, index: number, options: TrackingOptions): number {
  if (argumentBytes(call, index) > TRACKING_PREFIX_BYTES_MAX) options.problem = PREFIX_TOO_LONG;
  else if (options.prefixes.length === TRACKING_PREFIXES_PER_CLIENT_MAX) options.problem = TOO_MANY_PREFIXES;
  else options.prefixes.push(argumentText(call, index));
  return 2;
}

/** No key may have two prefixes of one client: it would hear of it twice. At most 2^16 comparisons. */
function problemWithPrefixes(prefixes: readonly string[], existing: ReadonlySet<string>): string | undefined {
  if (prefixes.length + existing.size > TRACKING_PREFIXES_PER_CLIENT_MAX) return TOO_MANY_PREFIXES;
  const inOrder = [...existing].sort();
  for (const [index, prefix] of prefixes.entries()) {
    const before = inOrder.find((other) => overlap(prefix, other));
    if (before !== undefined) return overlapText(prefix, 'an existing prefix', before);
    const behind = prefixes.slice(index + 1).find((other) => overlap(prefix, other));
    if (behind !== undefined) return overlapText(prefix, 'another provided prefix', behind);
  }
  return undefined;
}

function overlap(one: string, other: string): boolean {
  return one.startsWith(other) || other.startsWith(one);
}

function overlapText(prefix: string, what: string, other: string): string {
  const [one, two] = [printed(prefix), printed(other)];
  return `ERR Prefix '${one}' overlaps with ${what} '${two}'. Prefixes for a single client must not overlap.`;
}

/** As C prints a string. */
function printed(text: string): string {
  const end = text.indexOf('\0');
  return end < 0 ? text : text.slice(0, end);
}
