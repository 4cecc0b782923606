/**
 * The cluster agent: joins the cluster, keeps this node's lease, and leaves in order. Main thread.
 *
 *            lease granted              registered, topology read and applied
 *   ┌─────────┐ ──────► ┌─────────────┐ ──────────────────────────────────────► ┌────────┐ keep-alives,
 *   │ outside │         │ has a lease │                                         │ member │ a watch
 *   └─────────┘         └─────────────┘ ◄────────────────────────────────────── └────────┘
 *        ▲                     │            its key is gone from etcd               │
 *        └─────────────────────┴────────────────────────────────────────────────────┘ the lease is gone
 *
 * Only a member has the end of its lease in the node table, and acts as the owner of slots until then. While etcd does not
 * answer it stays a member, and the lease ends by itself.
 */
import { EtcdError } from '../base/errors.ts';
import { pauseFor } from '../base/pause.ts';
import {
  CLUSTER_JOIN_PAUSE_MS,
  CLUSTER_REJOIN_MS,
  CLUSTER_SUCCESSION_MS,
  CLUSTER_TROUBLE_LOG_MS,
} from '../config/limits-cluster.ts';
import { applyState } from './agent-apply.ts';
import type { Agent } from './agent-state.ts';
import { followFrom } from './agent-watch.ts';
import { getPrefix } from './etcd.ts';
import { admitLease, beatMs, dropLease, renewLease, takeLease } from './lease.ts';
import { registerNode } from './membership.ts';

const SECONDS_DIGITS = 1;
const MS_PER_SECOND = 1000;

/** Begins to join, and goes on until it has; returns at once. */
export function startAgent(agent: Agent): void {
  agent.life = live(agent);
}

/**
 * Gives up what others can take over, stops acting as an owner, and gives the lease back, so that the rest is taken over at once;
 * all within about so many ms.
 */
export async function stopAgent(agent: Agent, leftMs: number): Promise<void> {
  const { options, lease, ending } = agent;
  const deadlineMs = options.sharedMs() + leftMs;
  const left = () => Math.max(0, deadlineMs - options.sharedMs());
  if (agent.registeredAt > 0) {
    for (const farewell of agent.farewells) await within(left() / 2, farewell(left() / 2));
  }
  ending.abort();
  agent.endWatch();
  agent.wake();
  agent.registeredAt = 0;
  await within(
    left(),
    dropLease(lease).catch((error: Error) => logUnreturned(agent, error)),
  );
  await within(left(), agent.life);
}

async function live(agent: Agent): Promise<void> {
  const { options, lease, ending } = agent;
  while (!ending.signal.aborted) {
    const beganMs = options.sharedMs();
    const isWell = await step(agent);
    if (ending.signal.aborted) return;
    const dueMs = isWell ? beganMs + beatMs(lease) : options.sharedMs() + CLUSTER_JOIN_PAUSE_MS;
    await pauseUnlessWoken(agent, Math.max(0, dueMs - options.sharedMs()));
    const lateMs = options.sharedMs() - dueMs;
    if (lateMs > beatMs(lease)) {
      options.log.warning(`a keep-alive goes out ${Math.round(lateMs)} ms late: the main thread was busy`);
    }
  }
}

/** Does what is due, and says whether all is well. Never rejects but for a bug. */
async function step(agent: Agent): Promise<boolean> {
  try {
    const trouble = await stayIn(agent);
    return settle(agent, trouble);
  } catch (error) {
    if (!(error instanceof EtcdError)) throw error;
    return settle(agent, error.message);
  }
}

/** Resolves to what keeps the node out, '' for nothing. Rejects with an EtcdError. */
async function stayIn(agent: Agent): Promise<string> {
  const { lease, options } = agent;
  if (lease.id !== '' && !(await renewLease(lease))) {
    agent.registeredAt = 0;
    agent.plansFromMs = Number.POSITIVE_INFINITY;
    options.log.warning('etcd has ended the lease of this node: it joins anew');
  }
  if (lease.id === '') await takeLease(lease);
  if (agent.ending.signal.aborted) {
    // The stop has found none to give back.
    await dropLease(lease);
    return '';
  }
  return agent.registeredAt > 0 ? '' : register(agent);
}

async function register(agent: Agent): Promise<string> {
  const { etcd, state, lease, record, options } = agent;
  const waits = await awaitSuccession(agent);
  if (waits !== '' || agent.ending.signal.aborted) return waits;
  const registration = await registerNode(etcd, state.keys, record, lease.id);
  if (agent.ending.signal.aborted) return '';
  if (!registration.ok) {
    const { other } = registration;
    agent.otherSeenMs = options.sharedMs();
    const where = other === undefined ? '' : ` at ${other.host}:${other.port || other.tlsPort}`;
    return `another process is registered as node ${record.id}${where}: waiting until its lease ends`;
  }
  const { values, revision } = registration;
  const own = values.find(({ key }) => key === state.keys.nodes + record.id);
  followFrom(agent, values, revision);
  await applyState(agent);
  if (agent.ending.signal.aborted) return '';
  if (!state.members.has(record.id)) return 'etcd has not kept the registration of this node';
  agent.registeredAt = own?.createRevision ?? revision;
  if (agent.plansFromMs > options.sharedMs()) agent.plansFromMs = options.sharedMs() + CLUSTER_REJOIN_MS;
  admitLease(lease);
  options.log.notice('this node has joined the cluster', {
    cluster: options.config.clusterName,
    node: record.id,
    members: state.members.size,
  });
  // What others wait for (a coordinator its chance, hand-overs their table) they look for again now.
  await applyState(agent);
  return '';
}

/**
 * What the other process owned is its replicas' to take first: this node may have less of it than they have, after a power cut, or in an
 * empty folder. Resolves to what is waited for, '' for nothing. Rejects with an EtcdError.
 */
async function awaitSuccession(agent: Agent): Promise<string> {
  const { etcd, state, record, options, ending } = agent;
  if (options.sharedMs() - agent.otherSeenMs >= CLUSTER_SUCCESSION_MS) return '';
  const { values } = await getPrefix(etcd, state.keys.nodes + record.id, ending.signal);
  if (values.length > 0) agent.otherSeenMs = options.sharedMs();
  return `another process was registered as node ${record.id}: waiting until what it owned has new owners`;
}

/** Notes how it stands, and tells the operator when that changes, and each ten seconds while it is bad. */
function settle(agent: Agent, trouble: string): boolean {
  const nowMs = agent.options.sharedMs();
  if (trouble === '') {
    tellMended(agent, nowMs);
    Object.assign(agent, { trouble, isFenced: false });
    return true;
  }
  if (agent.trouble === '') agent.troubleSinceMs = nowMs;
  const isFenced = agent.registeredAt === 0 || nowMs > agent.lease.endsMs;
  const isNews = isFenced && !agent.isFenced;
  Object.assign(agent, { trouble, isFenced });
  if (isNews || nowMs - agent.troubleLoggedMs >= CLUSTER_TROUBLE_LOG_MS) {
    agent.troubleLoggedMs = nowMs;
    agent.options.log.warning(`${trouble}; ${consequence(agent, nowMs)}`);
  }
  return false;
}

function consequence({ isFenced, lease }: Agent, nowMs: number): string {
  if (isFenced) return 'until that is mended, commands with keys are refused';
  return `the lease of this node lasts for another ${secondsText(lease.endsMs - nowMs)} s`;
}

function tellMended(agent: Agent, nowMs: number): void {
  if (agent.troubleLoggedMs === Number.NEGATIVE_INFINITY) return;
  agent.troubleLoggedMs = Number.NEGATIVE_INFINITY;
  agent.options.log.notice(
    `all is well with etcd again, after ${secondsText(nowMs - agent.troubleSinceMs)} s`,
  );
}

function secondsText(ms: number): string {
  return (ms / MS_PER_SECOND).toFixed(SECONDS_DIGITS);
}

function logUnreturned({ options }: Agent, error: Error): void {
  options.log.warning(`the lease could not be given back, and ends by itself: ${error.message}`);
}

async function pauseUnlessWoken(agent: Agent, ms: number): Promise<void> {
  const waking = new AbortController();
  agent.wake = () => waking.abort();
  await pauseFor(ms, waking.signal);
}

/** Whatever comes first. */
async function within(ms: number, deed: Promise<void>): Promise<void> {
  const bound = new AbortController();
  const done = deed.then(() => bound.abort());
  await Promise.race([done, pauseFor(ms, bound.signal)]);
}
