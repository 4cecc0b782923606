/**
 * How the threads know of each other's subscribers: each tells all others how many it has of every name, whenever that changes.
 *
 * Once a turn, in one message for all its changes. A client's SUBSCRIBE is answered when all have noted it, so that from its
 * reply on every PUBLISH, on whichever thread, reaches the client and counts it; likewise UNSUBSCRIBE. Counts are absolute, and
 * those of one thread arrive in order. A thread that dies is forgotten with its channel; a new one asks.
 */
import { BUS_NAMES_MAX } from '../config/limits.ts';
import type { Engine } from './engine.ts';
import { applyNotifications } from './keyspace-events.ts';
import { forgetElsewhere, noteElsewhere, ownCount } from './subscriptions.ts';

/** To all, who answer when they have noted it: so many subscribers of these names has the sender now. */
const TOPIC_INTEREST = 'pubsub-interest';
/** To all, who answer with what they would tell: the sender is new. */
const TOPIC_WHO_LISTENS = 'pubsub-who-listens';

/** Names of one kind, and how many subscribers each has. Travels between threads. */
type Interest = {
  readonly kind: number;
  readonly names: readonly string[];
  readonly counts: readonly number[];
};

/** What a thread answers to one that is new. */
type Listened = { readonly threadId: number; readonly interests: readonly Interest[] };

/** Makes this thread know of the others' subscribers, and them of its own. Once, at its start; resolves when it knows all. */
export async function installInterest(engine: Engine, generation: number): Promise<void> {
  const { bus, threadId, pubsub } = engine;
  bus.handle(TOPIC_INTEREST, (interests, fromThread) => note(engine, fromThread, interests as Interest[]));
  bus.handle(TOPIC_WHO_LISTENS, () => ({ threadId, interests: allInterests(engine) }) satisfies Listened);
  bus.onGone((gone) => {
    forgetElsewhere(pubsub.listening, gone);
    applyNotifications(engine);
  });
  if (generation === 0) return;
  for (const answer of await bus.requestAll(TOPIC_WHO_LISTENS, undefined)) {
    const { threadId: other, interests } = answer as Listened;
    note(engine, other, interests);
  }
}

/** The number of this thread's subscribers of a name has changed. The others are told at the end of the turn. */
export function noteInterest(engine: Engine, kind: number, name: string): void {
  const { pubsub } = engine;
  pubsub.changed[kind].add(name);
  applyNotifications(engine);
  if (pubsub.isTellingDue) return;
  pubsub.isTellingDue = true;
  engine.later(() => tellInterest(engine));
}

/** Calls back when all threads know of what has changed so far in this turn; something has. */
export function whenInterestKnown({ pubsub }: Engine, callback: () => void): void {
  pubsub.whenTold.push(callback);
}

/** In pieces, so that a client that gives up a million names does not keep everybody from everything else. */
function tellInterest(engine: Engine): void {
  const { bus, pubsub } = engine;
  const { changed, whenTold } = pubsub;
  const told: Promise<unknown>[] = [];
  pubsub.isTellingDue = false;
  pubsub.changed = [new Set(), new Set(), new Set()];
  pubsub.whenTold = [];
  for (const interest of interestsOf(engine, changed)) told.push(bus.requestAll(TOPIC_INTEREST, [interest]));
  void Promise.all(told).then(() => {
    for (const callback of whenTold) callback();
  });
}

function* interestsOf({ pubsub }: Engine, changed: readonly Iterable<string>[]): Generator<Interest> {
  for (const [kind, all] of changed.entries()) {
    const names = [...all];
    for (let from = 0; from < names.length; from += BUS_NAMES_MAX) {
      const some = names.slice(from, from + BUS_NAMES_MAX);
      yield { kind, names: some, counts: some.map((name) => ownCount(pubsub.listening, kind, name)) };
    }
  }
}

function allInterests(engine: Engine): Interest[] {
  const names = engine.pubsub.listening.map((all) =>
    [...all].filter(([, { own }]) => own.size > 0).map(([name]) => name),
  );
  return [...interestsOf(engine, names)];
}

function note(engine: Engine, fromThread: number, interests: readonly Interest[]): void {
  if (fromThread === engine.threadId) return;
  for (const { kind, names, counts } of interests) {
    for (const [index, name] of names.entries()) {
      noteElsewhere(engine.pubsub.listening, fromThread, kind, name, counts[index]);
    }
  }
  applyNotifications(engine);
}
