/** Tests of the document: what is written is read back, and every damage is refused by name. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  countSlots,
  createTopology,
  decodeTopology,
  encodeTopology,
  nodeAt,
  nodeOfId,
  type Topology,
  type TopologyNode,
  topologyDamage,
} from '../../src/cluster/topology.ts';
import { NO_NODE, REPLICAS_MAX } from '../../src/routing/node-table.ts';
import { SLOT_COUNT } from '../../src/routing/slot.ts';
import { topologyNode } from '../support/topologies.ts';

/** Three nodes of which the first owns all, the second has the replicas and the third is to own slot 7. */
function smallTopology(): Topology {
  const topology = createTopology();
  topology.owners.fill(0);
  topology.replicas[0].fill(5);
  topology.targets[7] = 254;
  return { ...topology, nodes: [topologyNode(0), topologyNode(5), topologyNode(254)] };
}

/** The document with one thing changed. */
function damaged(change: (document: Record<string, unknown> & { nodes: TopologyNode[] }) => unknown): string {
  const document = JSON.parse(encodeTopology(smallTopology()));
  const changed = change(document);
  const decoded = decodeTopology(JSON.stringify(changed ?? document), 1);
  expect(decoded.topology).toBe(undefined);
  return decoded.damage ?? '';
}

/** The small topology with its tables changed, which are then not its own. */
function inconsistent(change: (topology: Topology) => void): string | undefined {
  const topology = smallTopology();
  change(topology);
  expect(() => encodeTopology(topology)).toThrow('a topology that is written can be read');
  return topologyDamage(topology);
}

describe('a topology', () => {
  test('without nodes or slots is read back as it was written', () => {
    expect(decodeTopology(encodeTopology(createTopology()), 0)).toEqual({ topology: createTopology() });
  });

  test('has the epoch of the revision at which its text was written, not one of its own', () => {
    const text = encodeTopology({ ...smallTopology(), epoch: 3 });
    expect(decodeTopology(text, 17)).toEqual({ topology: { ...smallTopology(), epoch: 17 } });
  });

  test('of any nodes and slots is read back as it was written', () => {
    fc.assert(
      fc.property(anyTopology, (topology) => {
        expect(decodeTopology(encodeTopology(topology), topology.epoch)).toEqual({ topology });
      }),
      { numRuns: 30 },
    );
  });

  test('of three nodes takes less than 20 KiB', () => {
    const topology = smallTopology();
    // A hash of the slot for a node: nothing that compresses by chance.
    const nodeOf = (slot: number) => [0, 5, 254][(Math.imul(slot, 0x9e3779b9) >>> 16) % 3];
    topology.targets.fill(NO_NODE);
    for (let slot = 0; slot < SLOT_COUNT; slot++) {
      topology.owners[slot] = nodeOf(slot);
      topology.replicas[0][slot] = [5, 254, 0][[0, 5, 254].indexOf(nodeOf(slot))];
    }
    expect(encodeTopology(topology).length).toBeLessThan(20 * 1024);
  });

  test('finds its nodes by index and by id, and counts the slots of each', () => {
    const topology = smallTopology();
    expect(nodeAt(topology, 5)).toBe(topology.nodes[1]);
    expect(nodeAt(topology, 6)).toBe(undefined);
    expect(nodeOfId(topology, topologyNode(254).id)).toBe(topology.nodes[2]);
    expect(nodeOfId(topology, 'unknown')).toBe(undefined);
    const counts = countSlots(topology.targets);
    expect([counts[254], counts[NO_NODE]]).toEqual([1, SLOT_COUNT - 1]);
  });
});

describe('a document is refused', () => {
  test('that is cut off at any character', () => {
    const text = encodeTopology(smallTopology());
    for (let end = 0; end < text.length; end++) {
      expect(decodeTopology(text.slice(0, end), 1)).toEqual({ damage: 'it is no JSON object' });
    }
  });

  test('that is JSON of another kind', () => {
    for (const value of [[], 1, 'text', true])
      expect(
        damaged(() => value),
        String(value),
      ).toBe('it is no JSON object');
    expect(decodeTopology('null', 1)).toEqual({ damage: 'it is no JSON object' });
  });

  test('of another version', () => {
    expect(damaged((document) => ({ ...document, version: 2 }))).toBe(
      'its version is 2, and this server knows 1',
    );
    expect(damaged((document) => ({ ...document, version: undefined }))).toContain(
      'its version is undefined',
    );
  });

  test('whose nodes are not nodes', () => {
    expect(damaged((document) => ({ ...document, nodes: {} }))).toBe('nodes is no list');
    const fields: Record<string, unknown[]> = {
      id: ['', 'a'.repeat(39), 'G'.repeat(40), 7, undefined],
      index: [-1, NO_NODE, 1.5, '1', undefined],
      weight: [0, -1, 10_001, Number.NaN, undefined],
      host: [7, undefined],
      port: [-1, 65_536, '6379', undefined],
      tlsPort: [65_536],
      httpPort: [null],
      isLeaving: ['no', undefined],
    };
    for (const [field, values] of Object.entries(fields)) {
      for (const value of values) {
        const complaint = damaged(({ nodes, ...rest }) => ({
          ...rest,
          nodes: [nodes[0], { ...nodes[1], [field]: value }],
        }));
        expect(complaint, `${field} ${value}`).toBe('nodes[1] is no node');
      }
    }
    expect(damaged((document) => ({ ...document, nodes: [null] }))).toBe('nodes[0] is no node');
  });

  test('in which an id or an index is that of two nodes', () => {
    const { id } = topologyNode(5);
    expect(
      damaged((document) => ({ ...document, nodes: [...document.nodes, { ...topologyNode(9), id }] })),
    ).toBe(`node ${id} is there twice`);
    expect(
      damaged((document) => ({
        ...document,
        nodes: [...document.nodes, { ...topologyNode(9), index: 5 }],
      })),
    ).toBe('index 5 is that of two nodes');
  });

  test('whose tables are missing, of another length, or changed', () => {
    const { owners } = JSON.parse(encodeTopology(smallTopology()));
    for (const table of [undefined, 7, '', '!', 'AAAA', owners.slice(0, 8), `${owners.slice(0, -4)}AAAA`]) {
      expect(
        damaged((document) => ({ ...document, owners: table })),
        String(table),
      ).toBe('owners is no table of 16384 slots');
      expect(damaged((document) => ({ ...document, targets: table }))).toBe(
        'targets is no table of 16384 slots',
      );
      expect(damaged((document) => ({ ...document, replicas: [owners, table, owners] }))).toBe(
        'replicas[1] is no table of 16384 slots',
      );
    }
    expect(damaged((document) => ({ ...document, replicas: [owners] }))).toBe(
      'replicas is no list of 3 tables',
    );
    expect(damaged((document) => ({ ...document, replicas: owners }))).toBe(
      'replicas is no list of 3 tables',
    );
  });

  test('whose tables have fewer or more slots', async () => {
    const { deflateSync } = await import('node:zlib');
    for (const length of [0, 1, SLOT_COUNT - 1, SLOT_COUNT + 1, 100 * SLOT_COUNT]) {
      const table = deflateSync(new Uint8Array(length)).toString('base64');
      expect(damaged((document) => ({ ...document, owners: table }))).toBe(
        'owners is no table of 16384 slots',
      );
    }
    expect(inconsistent((topology) => Object.assign(topology, { owners: new Uint8Array(3) }))).toBe(
      'owners is no table of 16384 slots',
    );
  });

  test('in which a slot names an index that no node has', () => {
    expect(damaged((document) => ({ ...document, nodes: document.nodes.slice(1) }))).toBe(
      "owners gives slot 0 to index 0, which is no node's",
    );
    const [first, second] = smallTopology().nodes;
    expect(damaged((document) => ({ ...document, nodes: [first, topologyNode(254)] }))).toContain(
      'replicas[0] gives slot 0 to index 5',
    );
    expect(damaged((document) => ({ ...document, nodes: [first, second] }))).toContain(
      'targets gives slot 7 to index 254',
    );
  });

  test('in which a slot contradicts itself', () => {
    expect(inconsistent(({ targets }) => targets.fill(0, 3, 4))).toBe('slot 3 has its owner as its target');
    expect(inconsistent(({ owners }) => owners.fill(NO_NODE, 7, 8))).toBe('slot 7 has a target and no owner');
    expect(inconsistent(({ owners }) => owners.fill(NO_NODE, 8, 9))).toBe(
      'slot 8 has a replica and no owner',
    );
    expect(inconsistent(({ owners }) => owners.fill(5, 16_383))).toBe(
      'slot 16383 has its owner among its replicas',
    );
    expect(inconsistent(({ replicas }) => replicas[REPLICAS_MAX - 1].fill(5, 9, 10))).toBe(
      'slot 9 has a replica twice',
    );
  });
});

describe('the page about the format', () => {
  const page = readFileSync(new URL('../../docs/formats/topology.md', import.meta.url), 'utf8');
  const text = /```json\n(.*)\n```/.exec(page)?.[1] ?? '';

  test('has an example that is read as the page says', () => {
    const { topology } = decodeTopology(text, 1);
    if (topology === undefined) throw new Error('it is read');
    expect([0, 8191, 8192, SLOT_COUNT - 1].map((slot) => topology.owners[slot])).toEqual([0, 0, 1, 1]);
    expect(topology.targets.indexOf(1)).toBe(7);
    expect(decodeTopology(encodeTopology(topology), 1)).toEqual({ topology });
  });

  test('shows the bytes of its targets', () => {
    const hex = Buffer.from(JSON.parse(text).targets, 'base64').toString('hex');
    expect(page).toContain(hex.match(/../g)?.join(' '));
  });
});

const anyTopology: fc.Arbitrary<Topology> = fc
  .record({
    indices: fc.uniqueArray(fc.integer({ min: 0, max: 254 }), { minLength: REPLICAS_MAX + 2, maxLength: 12 }),
    seed: fc.integer(),
    epoch: fc.nat(),
  })
  .map(({ indices, seed, epoch }) => {
    const topology = createTopology();
    for (let slot = 0; slot < SLOT_COUNT; slot++) {
      const from = Math.imul(slot + 1, seed | 1) >>> 8;
      const named = (offset: number) => indices[(from + offset) % indices.length];
      if (from % 7 === 0) continue;
      topology.owners[slot] = named(0);
      for (let rank = 0; rank < from % (REPLICAS_MAX + 1); rank++)
        topology.replicas[rank][slot] = named(rank + 1);
      if (from % 5 === 0) topology.targets[slot] = named(1);
    }
    return { ...topology, epoch, nodes: indices.map((index) => topologyNode(index)) };
  });
