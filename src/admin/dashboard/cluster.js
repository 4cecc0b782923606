/**
 * The cluster, on a node of one: its nodes, which slots they have, what is on the move, and how this node stands.
 */
import { byId, element, setText } from './dom.js';
import { formatBytes, formatCount, formatMilliseconds, formatRate, formatWhole } from './format.js';
import { createRing } from './ring.js';
import { createTable } from './table.js';

/** @typedef {import('./shapes.d.ts').ClusterShown} ClusterShown */
/** @typedef {import('./shapes.d.ts').NodeState} NodeState */

const RING_EVERY_MS = 5_000;
/** So many digits tell the nodes of a cluster apart. */
const ID_SHOWN = 8;
const SLOTS = 16_384;
const NOTHING = '–';

/** @type {import('./table.js').Column<NodeState>[]} */
const COLUMNS = [
  {
    id: 'node',
    label: 'Node',
    isText: true,
    text: ({ id }) => shortId(id),
    sort: ({ index }) => index,
  },
  { id: 'part', label: 'Part', isText: true, text: partOf, sort: partOf },
  {
    id: 'address',
    label: 'Address',
    hint: 'Leads to the page of that node',
    isText: true,
    text: addressOf,
    cell: (node) =>
      node.httpPort === 0 || node.isOwn
        ? element('span', {}, addressOf(node))
        : element('a', { href: pageOf(node) }, addressOf(node)),
  },
  {
    id: 'alive',
    label: 'Lease',
    isText: true,
    text: ({ isAlive }) => (isAlive ? 'alive' : 'gone'),
    sort: ({ isAlive }) => (isAlive ? 1 : 0),
  },
  {
    id: 'slots',
    label: 'Slots',
    text: ({ slots }) => formatWhole(slots),
    sort: ({ slots }) => slots,
    bar: ({ slots }) => slots,
  },
  {
    id: 'coming',
    label: 'Coming',
    hint: 'Slots that it is about to own',
    text: ({ coming }) => formatWhole(coming),
    sort: ({ coming }) => coming,
  },
  {
    id: 'fed',
    label: 'Replicas there',
    hint: 'Slots of this node that are whole there, of those that are to be',
    text: ({ fedWhole, fedSlots }) => partText(fedWhole, fedSlots),
    sort: ({ fedSlots }) => fedSlots,
  },
  {
    id: 'held',
    label: 'Replicas here',
    hint: 'Its slots that are whole here, of those that are to be',
    text: ({ heldWhole, heldSlots }) => partText(heldWhole, heldSlots),
    sort: ({ heldSlots }) => heldSlots,
  },
  {
    id: 'behind',
    label: 'Behind',
    hint: 'Changes of this node that it has not got yet',
    text: ({ isFed, fedBehindBytes, fedInFlightBytes }) =>
      isFed ? formatBytes(fedBehindBytes + fedInFlightBytes) : NOTHING,
    sort: ({ fedBehindBytes, fedInFlightBytes }) => fedBehindBytes + fedInFlightBytes,
  },
  {
    id: 'ping',
    label: 'Ping',
    text: ({ pingMs }) => (pingMs === null ? NOTHING : formatMilliseconds(pingMs)),
    sort: ({ pingMs }) => pingMs ?? 0,
  },
  {
    id: 'commands',
    label: 'Commands',
    hint: 'As it said in its answer to the latest ping',
    text: ({ commandsPerSecond }) => (commandsPerSecond === null ? NOTHING : formatRate(commandsPerSecond)),
    sort: ({ commandsPerSecond }) => commandsPerSecond ?? 0,
  },
  {
    id: 'circuit',
    label: 'Circuit',
    hint: 'The breaker in front of it: while it is open, nothing is passed on to the node',
    isText: true,
    text: ({ circuit }) => circuit ?? NOTHING,
    sort: ({ circuit }) => circuit ?? '',
  },
];

/**
 * @param {import('./poll.js').Pollster} pollster
 * @returns {(state: import('./shapes.d.ts').StateAnswer) => void}
 */
export function createCluster(pollster) {
  /** @type {Map<number, string>} */
  const names = new Map();
  const ring = createRing(pollster, {
    section: 'cluster-ring',
    path: 'v1/cluster/ring',
    everyMs: RING_EVERY_MS,
    read: (/** @type {import('./shapes.d.ts').NodeRingAnswer} */ { slots, owners, ranges }) => {
      for (const { node, id } of owners) names.set(node, shortId(id));
      return { slots, owners: owners.map(({ node, slots: own }) => ({ owner: node, slots: own })), ranges };
    },
    nameOf: (node) => names.get(node) ?? String(node),
    words: ['node', 'nodes'],
  });
  const table = createTable({
    label: 'Nodes',
    columns: COLUMNS,
    key: (node) => `${node.id} ${addressOf(node)} ${node.httpPort}`,
    sortBy: 'node',
    isAscending: true,
    onPoint: ({ index }) => ring.select(index),
    isMarked: ({ isOwn }) => isOwn,
    isTall: true,
  });
  byId('nodes-table').append(table.element);
  const moves = { most: 0 };
  return ({ cluster }) => {
    byId('cluster').hidden = cluster === null;
    byId('cluster-link').hidden = cluster === null;
    if (cluster === null) return;
    setText(byId('cluster-name'), cluster.name);
    showCluster(cluster);
    showMoves(cluster, moves);
    showOwn(cluster);
    table.update(cluster.nodes);
  };
}

/** @param {ClusterShown} cluster */
function showCluster({ nodes, coveredSlots, epoch, coordinatorId }) {
  const alive = nodes.filter(({ isAlive }) => isAlive).length;
  const dead = nodes.length - alive;
  showFact('cluster-nodes', dead === 0 ? `${alive} alive` : `${alive} alive, ${dead} gone`, dead > 0);
  showFact('cluster-covered', partText(coveredSlots, SLOTS), coveredSlots < SLOTS);
  showFact('cluster-epoch', epoch === 0 ? NOTHING : String(epoch), epoch === 0);
  showFact('cluster-coordinator', shortId(coordinatorId) || 'none', coordinatorId === '');
}

/**
 * The bar goes by the most that there was to move since nothing was.
 * @param {ClusterShown} cluster
 * @param {{ most: number }} moves
 */
function showMoves({ movingSlots }, moves) {
  moves.most = movingSlots === 0 ? 0 : Math.max(moves.most, movingSlots);
  const bar = /** @type {HTMLProgressElement} */ (byId('cluster-progress'));
  bar.value = moves.most === 0 ? 0 : 1 - movingSlots / moves.most;
  bar.dataset.state = moves.most === 0 ? 'idle' : 'running';
  showFact('cluster-moving', movingSlots === 0 ? 'none' : formatWhole(movingSlots));
}

/** @param {ClusterShown} cluster */
function showOwn({ ownId, leaseLeftMs, isServing, slots, keys, wholeReplicas }) {
  showFact('cluster-own', shortId(ownId) || 'not in the topology', ownId === '');
  const lease = leaseLeftMs > 0 ? `${formatMilliseconds(leaseLeftMs)} left` : 'over';
  showFact('cluster-lease', isServing ? lease : `${lease}, not serving`, !isServing);
  showFact('cluster-slots', `${formatWhole(slots.own)}, ${formatCount(keys.own)}`);
  showFact('cluster-replicas', `${partText(wholeReplicas, slots.replica)}, ${formatCount(keys.replica)}`);
  showFact('cluster-strange', formatCount(keys.strange));
}

/**
 * @param {string} id
 * @param {string} text
 * @param {boolean} [isBad]
 */
function showFact(id, text, isBad = false) {
  const fact = byId(id);
  setText(fact, text);
  fact.dataset.state = isBad ? 'bad' : '';
}

/** @param {string} id */
function shortId(id) {
  return id.slice(0, ID_SHOWN);
}

/** @param {NodeState} node */
function partOf({ isOwn, isCoordinator }) {
  if (isCoordinator) return isOwn ? 'this one, coordinator' : 'coordinator';
  return isOwn ? 'this one' : '';
}

/** @param {NodeState} node */
function addressOf({ host, port, tlsPort }) {
  return `${host}:${port || tlsPort}`;
}

/** @param {NodeState} node */
function pageOf({ host, httpPort }) {
  return `http://${host.includes(':') ? `[${host}]` : host}:${httpPort}/`;
}

/**
 * @param {number} part
 * @param {number} whole
 */
function partText(part, whole) {
  if (whole === 0) return NOTHING;
  return part === whole ? formatWhole(whole) : `${formatWhole(part)} of ${formatWhole(whole)}`;
}
