/**
 * What CLIENT TRACKING has made of one client: how it wants to hear of keys that change, and where.
 *
 * Part of its session, from ON to OFF; tracking.ts changes it.
 */

export type ClientTracking = {
  /** It hears of all keys that begin with its prefixes; else of those that it has read. */
  isBroadcast: boolean;
  isOptIn: boolean;
  isOptOut: boolean;
  /** It does not hear of its own changes. */
  isNoLoop: boolean;
  /** The client that hears in its place; 0: itself. */
  redirect: number;
  /** That one was not there any more when it was to hear. */
  isBroken: boolean;
  /** Empty where it does not broadcast. */
  readonly prefixes: Set<string>;
  /** CLIENT CACHING came before; it holds for the next command that is none of CLIENT, or up to EXEC. */
  isCachingGiven: boolean;
  /** Whether the command before was one of CLIENT. */
  hasAskedBefore: boolean;
};

/** What CLIENT GETREDIR and CLIENT LIST say of a client that does not track. */
const NO_REDIRECT = -1;

export function createClientTracking(): ClientTracking {
  return {
    isBroadcast: false,
    isOptIn: false,
    isOptOut: false,
    isNoLoop: false,
    redirect: 0,
    isBroken: false,
    prefixes: new Set(),
    isCachingGiven: false,
    hasAskedBefore: false,
  };
}

/** The client that hears in this one's place; 0 where it hears itself, -1 where it does not track. */
export function redirectOf(tracking: ClientTracking | undefined): number {
  return tracking?.redirect ?? NO_REDIRECT;
}

/** Its letters in CLIENT LIST. */
export function trackingFlags(tracking: ClientTracking | undefined): string {
  if (tracking === undefined) return '';
  return `t${tracking.isBroken ? 'R' : ''}${tracking.isBroadcast ? 'B' : ''}`;
}
