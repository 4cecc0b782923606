/**
 * How a cluster stands, in words and a table for the terminal. Pure.
 */
import type { ClusterNodeReading, ClusterReading } from '../metrics/cluster-reading.ts';
import { SLOT_COUNT } from '../routing/slot.ts';
import { shortId } from './planning.ts';

/** What each node says of itself, by its id; undefined: it does not answer. */
export type NodeReadings = ReadonlyMap<string, ClusterReading | undefined>;

const MS_PER_SECOND = 1000;
const COLUMN_GAP = '  ';
const HEADINGS = [
  'node',
  'address',
  'state',
  'weight',
  'slots',
  'keys',
  'replicas',
  'whole',
  'coming',
  'lease',
];
/** The columns of words; the others are of numbers. */
const WORD_COLUMNS = 3;

/** Whether every slot is where it is to be, with all of its replicas whole, and every node says so. */
export function isClusterSettled(reading: ClusterReading, readings: NodeReadings): boolean {
  return (
    isClusterServing(reading, readings) &&
    reading.movingSlots === 0 &&
    [...readings.values()].every((own) => own !== undefined && own.wholeReplicas === own.slots.replica)
  );
}

/** Whether every slot is served. */
export function isClusterServing(reading: ClusterReading, readings: NodeReadings): boolean {
  const owners = reading.nodes.filter(({ slots }) => slots > 0);
  return (
    reading.coveredSlots === SLOT_COUNT && owners.every(({ id }) => readings.get(id)?.isServing === true)
  );
}

/** The lines, the last one a judgement. */
export function describeCluster(reading: ClusterReading, readings: NodeReadings): string[] {
  const { name, epoch, coveredSlots, movingSlots, nodes } = reading;
  const rows = nodes.map((node) => nodeRow(node, readings.get(node.id)));
  return [
    `cluster ${name}, epoch ${epoch}: ${coveredSlots} of ${SLOT_COUNT} slots have an owner that is alive, ${movingSlots} are moving`,
    '',
    ...tableLines([HEADINGS, ...rows]),
    '',
    judgement(reading, readings),
  ];
}

function judgement(reading: ClusterReading, readings: NodeReadings): string {
  if (!isClusterServing(reading, readings)) return 'some slots are not served';
  if (isClusterSettled(reading, readings))
    return 'all is well: every slot is in its place, and every replica whole';
  return 'every slot is served; slots are moving, or replicas are not whole yet';
}

function nodeRow(node: ClusterNodeReading, own: ClusterReading | undefined): string[] {
  const port = node.port === 0 ? node.tlsPort : node.port;
  return [
    `${shortId(node.id)}${node.isCoordinator ? ' *' : ''}`,
    `${node.host}:${port}`,
    stateOf(node, own),
    `${node.weight}`,
    `${node.slots}`,
    `${own?.keys.own ?? '-'}`,
    `${node.replicas}`,
    `${own?.wholeReplicas ?? '-'}`,
    `${node.coming}`,
    own === undefined ? '-' : `${(own.leaseLeftMs / MS_PER_SECOND).toFixed(1)} s`,
  ];
}

function stateOf(node: ClusterNodeReading, own: ClusterReading | undefined): string {
  if (!node.isAlive) return 'gone';
  if (own === undefined) return 'silent';
  return own.isServing ? 'serves' : 'does not serve';
}

/** Columns as wide as their widest cell; words to the left, numbers to the right. */
function tableLines(rows: readonly (readonly string[])[]): string[] {
  const widths = HEADINGS.map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) =>
    row
      .map((cell, column) =>
        column < WORD_COLUMNS ? cell.padEnd(widths[column]) : cell.padStart(widths[column]),
      )
      .join(COLUMN_GAP)
      .trimEnd(),
  );
}
