/**
 * Where a command of a node of a cluster is executed: here, on another node, or nowhere at present.
 *
 * Runs on the thread of the connection, before anything is locked. A command of one key that is ours costs a look-up of its slot and
 * some loads; nothing is allocated unless something is answered. Between this look and the execution the thread does nothing else:
 * once all threads have passed a turn, no command is under way that found a slot here which is not here any more.
 * Source of the rules and their order: Redis 7.0 `cluster.c`, `getNodeByQuery`.
 */
import { SLOT_WAIT_MS } from '../config/limits-cluster.ts';
import { READS_DEGRADED, TURNS } from '../metrics/names.ts';
import { writeError, writeNullArray } from '../resp/reply-writer.ts';
import { IS_COVERED, isOwn } from '../routing/node-table.ts';
import { slotOfKey } from '../routing/slot.ts';
import type { Call, Command } from './call.ts';
import { ASKED, addKeys, beginSurvey, COMING, HERE, MIXED, survey } from './cluster-survey.ts';
import type { ClusterNode, ClusterView, Forwarder } from './cluster-view.ts';
import { isFenced } from './fencing.ts';
import { findKeyPlaces, firstPlace, nextPlace } from './key-places.ts';
import { lacksReplicas } from './replica-counts.ts';
import { GUARD_TRACKING, isAsking, type Session } from './session.ts';
import { leaveTransaction, loadQueued, type Transaction } from './transaction-queue.ts';
import { isWatchingElsewhere } from './watch.ts';
import { noteWrittenAnywhere, noteWrittenKeys } from './written-slots.ts';

const DOWN = 'CLUSTERDOWN The cluster is down';
const DOWN_FOR_WRITES = 'CLUSTERDOWN The cluster is down and only accepts read commands';
const NOT_SERVED = 'CLUSTERDOWN Hash slot not served';
const CROSS_SLOT = "CROSSSLOT Keys in request don't hash to the same slot";
const COMES_LATER = 'TRYAGAIN The slot is on its way to this node';

/** What the client may have besides slots that are our own; filled for each survey. */
const claim = { mayReadReplicas: false, isAsking: false, isOfChannels: false };

/**
 * Whether the command is not executed here: then it is answered, or another node answers it (`takeForwarded`), or it waits
 * (`session.isPostponed`).
 */
export function isElsewhere(call: Call, command: Command, cluster: ClusterView): boolean {
  const { firstKey } = command;
  if (firstKey === 0) return isKeylessElsewhere(call, command, cluster);
  if (firstKey === command.lastKey) {
    const { engine, input, spans } = call;
    const { table } = cluster;
    const slot = slotOfKey(input, spans[2 * firstKey], spans[2 * firstKey + 1]);
    const isOurs = isOwn(table.roles, slot);
    const isCovered = table.words[IS_COVERED] === 1 || !engine.config.clusterRequireFullCoverage;
    if (isOurs && isCovered && !isFenced(engine, cluster, call.nowMs)) {
      return command.isWrite && lacksReplicas(call, slot);
    }
  }
  beginSurvey();
  makeClaim(call, command.isWrite);
  addKeys(call, command, cluster.table, claim);
  // What is wrong with its arguments it says here.
  if (survey.keys === 0) return false;
  if (isSurveyedElsewhere(call, command, cluster, command.isWrite)) return true;
  // What is queued for another node is that one's business.
  return command.isWrite && survey.place === HERE && isAnySlotShort(call, command);
}

/** Whether the command that was looked at last has gone to other nodes. */
export function takeForwarded(cluster: ClusterView): boolean {
  const { hasForwarded } = cluster;
  cluster.hasForwarded = false;
  return hasForwarded;
}

/** What a client is told that waits for a key of a slot which another node owns now; undefined while none does. */
export function movedText(session: Session, { table, nodes }: ClusterView, slot: number): string | undefined {
  const node = nodes[table.owners[slot]];
  return node && `MOVED ${slot} ${doorOf(session, node)}`;
}

/** EXEC by what is queued; channels of shards as keys; and what is done to all keys of all nodes. */
function isKeylessElsewhere(call: Call, command: Command, cluster: ClusterView): boolean {
  const { spec, locksItself } = command;
  if (spec.name === 'exec') return isExecElsewhere(call, command, cluster);
  if (spec.firstKey > 0) return isChannelElsewhere(call, command, cluster);
  if (!locksItself) return false;
  if (isForwardable(call, command, cluster) && cluster.forwarder?.canScatter(command)) {
    return passOn(call, command, cluster, ({ scatter }) => scatter(call, command));
  }
  return command.isWrite && isRefusedAsFenced(call, cluster);
}

/** What changes keys that nobody names. */
function isRefusedAsFenced(call: Call, cluster: ClusterView): boolean {
  return isFenced(call.engine, cluster, call.nowMs) && refuse(call, DOWN);
}

/** Nobody is promised that a message arrives: no lease is looked at, and who listens may always leave off. */
function isChannelElsewhere(call: Call, command: Command, cluster: ClusterView): boolean {
  const { name, firstKey, lastKey, keyStep } = command.spec;
  if (name === 'sunsubscribe') return false;
  beginSurvey();
  makeClaim(call, false);
  claim.mayReadReplicas = false;
  claim.isOfChannels = true;
  addKeys(call, { firstKey, lastKey, keyStep, movable: undefined }, cluster.table, claim);
  if (survey.place === HERE) return isRefusedAsCrossing(call);
  return isSurveyedElsewhere(call, command, cluster, true);
}

function isExecElsewhere(call: Call, command: Command, cluster: ClusterView): boolean {
  const { session } = call;
  const { transaction } = session;
  if (transaction === undefined || transaction.isDirty) return false;
  surveyTransaction(call, transaction, cluster);
  const isElsewhere =
    isWatchElsewhere(call, cluster) ||
    (survey.keys > 0
      ? isSurveyedElsewhere(call, command, cluster, transaction.isWrite)
      : transaction.isWrite && isRefusedAsFenced(call, cluster));
  // The redirection is its answer as it stands; or what was queued is another's now.
  if (isElsewhere && !session.isPostponed && !cluster.hasForwarded) transaction.isElsewhere = true;
  return isElsewhere || (transaction.isWrite && isTransactionShort(call, transaction));
}

function surveyTransaction(call: Call, transaction: Transaction, { table }: ClusterView): void {
  beginSurvey();
  makeClaim(call, transaction.isWrite);
  isAnyQueued(call, transaction, (command) => {
    if (command.firstKey > 0) addKeys(call, command, table, claim);
    return false;
  });
}

/** Whether `is` holds for a queued command, which `call` is about while it looks. */
function isAnyQueued(call: Call, transaction: Transaction, is: (command: Command) => boolean): boolean {
  const { input, spans, count } = call;
  let isAny = false;
  for (let index = 0; index < transaction.commands.length && !isAny; index += 1) {
    isAny = is(loadQueued(call, transaction, index));
  }
  call.input = input;
  call.spans = spans;
  call.count = count;
  return isAny;
}

/** Whether a slot that the transaction is to change has too few replicas; answers then. */
function isTransactionShort(call: Call, transaction: Transaction): boolean {
  if (call.engine.config.minReplicasToWrite === 0) return false;
  return isAnyQueued(call, transaction, (command) => command.isWrite && isAnySlotShort(call, command));
}

/** The same of a command. */
function isAnySlotShort(call: Call, command: Command): boolean {
  if (command.firstKey === 0 || call.engine.config.minReplicasToWrite === 0) return false;
  const { input, spans } = call;
  const places = findKeyPlaces(call, command);
  for (let index = firstPlace(places); index > 0; index = nextPlace(places, index)) {
    if (lacksReplicas(call, slotOfKey(input, spans[2 * index], spans[2 * index + 1]))) return true;
  }
  return false;
}

/** What was watched and is not ours any more may have been changed by who owns it: as if it were touched. */
function isWatchElsewhere({ session, reply }: Call, { table }: ClusterView): boolean {
  if (!isWatchingElsewhere(session, table.roles)) return false;
  writeNullArray(reply);
  return true;
}

function makeClaim({ session }: Call, isWrite: boolean): void {
  claim.mayReadReplicas = session.isReadOnly && !isWrite;
  claim.isAsking = isAsking(session);
  claim.isOfChannels = false;
}

/** Decides by the survey of the keys, of which there is at least one. */
function isSurveyedElsewhere(call: Call, command: Command, cluster: ClusterView, isWrite: boolean): boolean {
  const { place } = survey;
  if (survey.isFirstUnserved) return refuse(call, NOT_SERVED);
  if (isRefusedAsCrossing(call)) return true;
  if (survey.hasUnserved) return refuse(call, NOT_SERVED);
  const refusal = standingRefusal(call, cluster, isWrite);
  if (refusal !== undefined) return refuse(call, refusal);
  if (place === HERE || isQueuedForOthers(call, command, cluster)) return false;
  if (place === COMING || (survey.hasPassing && !survey.isOneSlot)) return awaitSlot(call, command);
  if (place === MIXED) return isMixedElsewhere(call, command, cluster);
  const isToAsk = place >= ASKED;
  const node = cluster.nodes[isToAsk ? place - ASKED : place];
  if (isReadHereAllTheSame(call, command, cluster, node)) return false;
  if (node === undefined || !node.isAlive) return refuse(call, NOT_SERVED);
  if (!isForwardable(call, command, cluster)) return redirect(call, node, isToAsk);
  if (command.spec.name !== 'exec') {
    // Slots of one node may be those of several when the command gets there.
    if (!survey.isOneSlot && cluster.forwarder?.canScatter(command)) {
      return passOn(call, command, cluster, ({ scatter }) => scatter(call, command));
    }
    return passOn(call, command, cluster, ({ forward }) => forward(call, command, node.index, isToAsk));
  }
  return isToAsk ? awaitSlot(call, command) : passTransactionOn(call, command, cluster, node);
}

/** Several slots are for nodes that forward, and for what they forward. */
function isRefusedAsCrossing(call: Call): boolean {
  const { engine, session } = call;
  if (survey.isOneSlot || session.isPeer || engine.config.clusterRouting === 'forward') return false;
  return refuse(call, CROSS_SLOT);
}

/** Why this node does not serve at present. What it only forwards is the business of who gets it. */
function standingRefusal(call: Call, cluster: ClusterView, isWrite: boolean): string | undefined {
  const { engine, nowMs } = call;
  const { config } = engine;
  const isCovered = cluster.table.words[IS_COVERED] === 1 || !config.clusterRequireFullCoverage;
  const isOnlyForwarded = survey.place >= 0 && mayForward(call, cluster);
  if (isCovered && (isOnlyForwarded || !isFenced(engine, cluster, nowMs))) return undefined;
  if (!config.clusterAllowReadsWhenDown) return DOWN;
  return isWrite ? DOWN_FOR_WRITES : undefined;
}

/** Whether the command is queued here though its keys are another node's: the whole transaction may be. EXEC finds out. */
function isQueuedForOthers(call: Call, { spec }: Command, cluster: ClusterView): boolean {
  if (call.session.transaction === undefined || spec.name === 'exec' || spec.name === 'watch') return false;
  return survey.place >= 0 && mayForward(call, cluster) && cluster.forwarder?.transaction !== undefined;
}

function mayForward({ engine, session }: Call, { forwarder }: ClusterView): boolean {
  return forwarder !== undefined && !session.isPeer && engine.config.clusterRouting === 'forward';
}

/**
 * Whether the command, or the transaction that EXEC ends, can be passed on. What is remembered of a client here (the keys that it watches or
 * keeps, the channels that it listens to) would not be there.
 */
function isForwardable(call: Call, command: Command, cluster: ClusterView): boolean {
  if (!mayForward(call, cluster)) return false;
  const { session } = call;
  const { name } = command.spec;
  if (name === 'exec') return session.watched === undefined && cluster.forwarder?.transaction !== undefined;
  if (session.transaction !== undefined || name === 'watch' || name === 'ssubscribe') return false;
  // It would hold up all that other clients ask of that node.
  if (command.spec.flags.includes('blocking')) return false;
  return (session.guards & GUARD_TRACKING) === 0 || !command.isRead;
}

/** Whether the command is served from whole replicas, because their owner is not there and old values are better than none. */
function isReadHereAllTheSame(
  { engine, session }: Call,
  command: Command,
  { forwarder }: ClusterView,
  node: ClusterNode | undefined,
): boolean {
  if (!engine.config.clusterDegradedReads || !command.isRead || !survey.isReplicated) return false;
  if (session.transaction !== undefined) return false;
  if (node?.isAlive && (forwarder === undefined || forwarder.reaches(node.index))) return false;
  engine.counters[READS_DEGRADED] += 1;
  return true;
}

/** Keys of several nodes. */
function isMixedElsewhere(call: Call, command: Command, cluster: ClusterView): boolean {
  const { session } = call;
  if (session.isPeer) {
    const node = cluster.nodes[cluster.table.owners[survey.slotElsewhere]];
    return node === undefined ? refuse(call, NOT_SERVED) : redirect(call, node, false);
  }
  if (!isForwardable(call, command, cluster) || cluster.forwarder?.canScatter(command) !== true) {
    return refuse(call, CROSS_SLOT);
  }
  return passOn(call, command, cluster, ({ scatter }) => scatter(call, command));
}

function passOn(
  call: Call,
  command: Command,
  cluster: ClusterView,
  pass: (forwarder: Forwarder) => void,
): true {
  call.command = command;
  call.isDeferred = false;
  call.session.lastCommand = command.spec.name;
  if (command.isWrite) noteWrittenKeys(call, command, cluster.table);
  if (cluster.forwarder !== undefined) pass(cluster.forwarder);
  cluster.hasForwarded = true;
  return true;
}

function passTransactionOn(call: Call, command: Command, cluster: ClusterView, node: ClusterNode): true {
  const { session } = call;
  const { transaction } = session;
  leaveTransaction(session);
  if (transaction?.isWrite) noteWrittenAnywhere(session, cluster.table);
  return passOn(call, command, cluster, (forwarder) => {
    if (transaction !== undefined) forwarder.transaction?.(call, transaction, node.index);
  });
}

function redirect(call: Call, node: ClusterNode, isToAsk: boolean): true {
  return refuse(call, `${isToAsk ? 'ASK' : 'MOVED'} ${survey.slotElsewhere} ${doorOf(call.session, node)}`);
}

/** Where a client of this kind finds the node. */
function doorOf({ isEncrypted }: Session, { host, port, tlsPort }: ClusterNode): string {
  return `${host}:${isEncrypted ? tlsPort || port : port || tlsPort}`;
}

function refuse({ reply }: Call, text: string): true {
  writeError(reply, text);
  return true;
}

/** The slot is between two nodes for some moments: the command comes again until then, but not for ever. */
function awaitSlot(call: Call, command: Command): true {
  const { engine, session } = call;
  const { connection } = session;
  const nowMs = engine.timing.monotonicMs();
  const number = session.commandsProcessed;
  if (session.slotWait.command !== number) {
    session.slotWait = { command: number, endsMs: nowMs + slotWaitMs(call), endedTurn: -1 };
  }
  const { endsMs } = session.slotWait;
  if (connection.awaitSlot === undefined || nowMs >= endsMs) {
    session.slotWait = { command: number, endsMs, endedTurn: engine.counters[TURNS] };
    return refuse(call, COMES_LATER);
  }
  session.lastCommand = command.spec.name;
  session.isPostponed = true;
  connection.awaitSlot();
  return true;
}

/**
 * How long a command may wait. Another node gives a link up, with all that it has sent, when a command has no answer in its time: what has come
 * behind one that waited in vain waits no more, and where the other node reckons with no wait (it has not asked), none uses up that time.
 */
function slotWaitMs({ engine, session }: Call): number {
  if (!session.isPeer) return SLOT_WAIT_MS;
  if (session.slotWait.endedTurn === engine.counters[TURNS]) return 0;
  return isAsking(session) ? SLOT_WAIT_MS : Math.min(SLOT_WAIT_MS, engine.config.clusterPeerTimeout / 2);
}
