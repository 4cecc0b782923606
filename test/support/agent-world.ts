/**
 * Agents of nodes in one process, around one fake etcd, each with a table, a bus and a log of its own.
 */

import { startAgent, stopAgent } from '../../src/cluster/agent.ts';
import { type Agent, createAgent } from '../../src/cluster/agent-state.ts';
import type { NodeRecord } from '../../src/cluster/membership.ts';
import { createTopology, type Topology, type TopologyNode } from '../../src/cluster/topology.ts';
import { createClusterView, TOPIC_CLUSTER_NODES } from '../../src/commands/cluster-view.ts';
import { currentSurroundings } from '../../src/config/file.ts';
import { loadConfig } from '../../src/config/load.ts';
import { createNodeTableBuffer, type NodeTable } from '../../src/routing/node-table.ts';
import { createBus, handleTopic } from '../../src/threads/bus.ts';
import { until } from './until.ts';

export type AgentUnderTest = {
  readonly agent: Agent;
  readonly table: NodeTable;
  /** Lines of the log, each with its fields. */
  readonly lines: string[];
  /** What the threads were told, and the epoch of the table at that time. */
  readonly told: { readonly ids: string[]; readonly epoch: number }[];
  /** Resolves once it has joined. */
  joined(): Promise<void>;
  /** Resolves once a line of its log holds the text. */
  logged(text: string): Promise<void>;
  /** Within about so long; a second where nothing is said. */
  stop(msMax?: number): Promise<void>;
};

export type AgentTestOptions = {
  readonly url: string;
  readonly sharedMs: () => number;
  readonly change?: Partial<NodeRecord>;
};

const PATIENCE = { tryMsMax: 500, pauseMsMin: 1, breakerResetMs: 5, watchSilenceMsMax: 2_000 };
const WAIT_MS_MAX = 5_000;
const STOP_MS = 1_000;

/** The name of a node: one digit, 40 times. */
export function idOf(digit: string): string {
  return digit.repeat(40);
}

/** Begins to join. */
export function beginAgent(id: string, options: AgentTestOptions): AgentUnderTest {
  const lines: string[] = [];
  const told: AgentUnderTest['told'] = [];
  const note = (text: string, fields?: object) =>
    void lines.push(fields === undefined ? text : `${text} ${JSON.stringify(fields)}`);
  const error = (text: string) => note(text);
  const log = { debug: note, verbose: note, notice: note, warning: note, error };
  const view = createClusterView(createNodeTableBuffer(), options.sharedMs);
  const bus = createBus(0, (text) => note(text), []);
  handleTopic<readonly ({ id: string } | undefined)[]>(bus, TOPIC_CLUSTER_NODES, (nodes) => {
    told.push({ ids: nodes.flatMap((node) => node?.id ?? []), epoch: view.table.numbers[0] });
  });
  const loaded = loadConfig(
    ['--cluster-enabled', 'yes', '--appendonly', 'yes', '--cluster-etcd', options.url],
    {},
    currentSurroundings(),
  );
  if (loaded.kind !== 'run') throw new Error('the configuration can be run');
  const record: NodeRecord = {
    ...{ id, host: '127.0.0.1', port: 7000, tlsPort: 0, httpPort: 8000, weight: 100 },
    ...{ runId: `run of ${id}`, startedAtMs: 0, isLeaving: false },
    ...options.change,
  };
  const { sharedMs } = options;
  const agent = createAgent({ config: loaded.config, bus, log, view, record, sharedMs, patience: PATIENCE });
  startAgent(agent);
  const wait = (isTrue: () => boolean, what: string) =>
    until(isTrue, { what: () => `${what}: ${lines.join('\n')}`, msMax: WAIT_MS_MAX });
  return {
    ...{ agent, table: view.table, lines, told },
    joined: () => wait(() => agent.registeredAt > 0 && agent.lease.isAdmitted, 'it has not joined'),
    logged: (text) => wait(() => lines.some((line) => line.includes(text)), `nothing says '${text}'`),
    stop: (msMax = STOP_MS) => stopAgent(agent, msMax),
  };
}

/** A topology of nodes, each by its id at its index, in which the first owns all slots. */
export function topologyOf(ids: readonly string[], epoch = 0): Topology {
  const topology = createTopology();
  const nodes = ids.map(
    (id, index): TopologyNode => ({
      ...{ id, index, weight: 100, host: '127.0.0.1', port: 7000, tlsPort: 0, httpPort: 8000 },
      isLeaving: false,
    }),
  );
  topology.owners.fill(0);
  return { ...topology, epoch, nodes };
}
