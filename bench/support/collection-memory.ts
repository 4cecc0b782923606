/** What collections cost in memory, in a server with nothing else. */
import { ask } from './client.ts';
import { type CollectionKind, fillCollection } from './collection-kinds.ts';
import { type Column, spreadText } from './markdown.ts';
import { growthOf, type MemoryReading, readMemory, warmUpMemory } from './memory-reading.ts';
import { type Peer, type RunningPeer, withPeer } from './peers.ts';
import type { ResultRow } from './result.ts';
import { ratioText, type Spread, spreadOf } from './statistics.ts';

const SETTLED_MS = 300;

export const COLLECTION_MEMORY_COLUMNS: readonly Column[] = [
  { heading: 'what', align: 'left' },
  { heading: 'contents', align: 'left' },
  { heading: 'server', align: 'left' },
  { heading: 'used bytes each', align: 'right' },
  { heading: 'resident bytes each', align: 'right' },
  { heading: 'used to redis-server', align: 'left' },
  { heading: 'resident to redis-server', align: 'left' },
];

/** Fills a fresh server that has had a few of the kind before; the bytes beyond what it had then. */
export async function measureCollectionMemory(
  peer: Peer,
  kind: CollectionKind,
  few: CollectionKind,
  warmUps: number,
): Promise<MemoryReading> {
  return withPeer(peer, async (running) => {
    await warmUpMemory(peer, running, warmUps);
    await fillCollection(running.port, few);
    await ask(running.port, 'FLUSHALL');
    const before = await readSettled(peer, running);
    await fillCollection(running.port, kind);
    const grown = growthOf(await readMemory(peer, running), before);
    const wanted = kind.requests === kind.elements ? kind.elements : 1;
    if (grown.keys !== wanted) throw new Error(`${peer.name} holds ${grown.keys} of ${wanted} keys`);
    return grown;
  });
}

/** What is flushed is freed bit by bit: read when no more is. */
async function readSettled(peer: Peer, running: RunningPeer): Promise<MemoryReading> {
  for (let last = await readMemory(peer, running); ; ) {
    await new Promise((resolve) => setTimeout(resolve, SETTLED_MS));
    const now = await readMemory(peer, running);
    if (now.usedBytes >= last.usedBytes) return now;
    last = now;
  }
}

/** The runs of one server and kind. */
export function collectionMemoryRow(
  server: string,
  { name, contents, elements }: CollectionKind,
  runs: readonly MemoryReading[],
): ResultRow {
  const spread = (pick: (run: MemoryReading) => number): Spread =>
    spreadOf(runs.map((run) => pick(run) / elements));
  return {
    set: 'memory',
    server,
    kind: name,
    contents,
    elements,
    usedEachBytes: spread(({ usedBytes }) => usedBytes),
    residentEachBytes: spread(({ residentBytes }) => residentBytes),
  };
}

/** `base`: redis-server's row of the same kind. */
export function collectionMemoryCells(row: ResultRow, base: ResultRow): string[] {
  const cell = (field: string) => spreadText(row[field] as Spread, 1, 1);
  const ratio = (field: string) =>
    row === base ? '1' : ratioText(row[field] as Spread, base[field] as Spread);
  return [
    String(row.kind),
    String(row.contents),
    row.server,
    cell('usedEachBytes'),
    cell('residentEachBytes'),
    ratio('usedEachBytes'),
    ratio('residentEachBytes'),
  ];
}
