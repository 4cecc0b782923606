/**
 * The consistent-hash ring: which owner has which slot. Pure; it only fills tables, so it runs when owners change
 * (once per start, and per change of a cluster's members) and never for a command.
 *
 * The ring has 16384 arcs of 2^32 places, one arc per slot, and a slot belongs to the owner of the first virtual node
 * clockwise from the start of its arc (Karger et al., Consistent Hashing and Random Trees, STOC 1997). A new owner can
 * only put its own virtual nodes in front of others', so it takes slots and shuffles none; one that leaves uncovers
 * the runner-up of each slot that it had.
 *
 * Where the virtual nodes stand decides the balance. With places drawn independently, however many, a slot's owner is
 * in the end a fair die: the coefficient of variation (CV) of slots per owner tends to sqrt((n - 1) / 16384), which is
 * 0.062 for 64 owners. So each owner's 16384 virtual nodes are spread as a Latin hypercube (McKay, Beckman and
 * Conover 1979): exactly one in every arc, and exactly one at every depth, an arc being cut into 16384 depths. Every
 * owner then has the same supply of early places, which halves the variance: CV 0.044 for 64 owners (bench/ring-balance.ts
 * prints the table).
 *
 *   arc of slot 0          arc of slot 1          arc of slot 2
 *  ├──B────A───C──────────┼─C──────────B────A────┼──────A──C──────B───┼ ...
 *     ^ slot 0 is B's       ^ slot 1 is C's              ^ slot 2 is A's
 */
import { assert } from '../base/assert.ts';
import { SLOT_COUNT } from './slot.ts';

/** One who can own slots. `weight` (default 1, any positive number) is its share relative to the others'. */
export type RingOwner = { readonly id: string; readonly weight?: number };

/** A table names an owner in 16 bits. */
const OWNERS_MAX = 0x10000;

const DEPTH_BITS = 14;
const PLACE_BITS = 32 - DEPTH_BITS;
const PLACES = 2 ** 32;
/** 2^32 divided by the golden ratio: its multiples are well apart, so they make good inputs for a finaliser. */
const GOLDEN_GAMMA = 0x9e3779b9;
const DEPTHS_SEED = 0;
const PLACES_SEED = 1;

assert(1 << DEPTH_BITS === SLOT_COUNT, 'an owner has as many depths as arcs, one virtual node in each');

/**
 * Writes for every slot the index in `owners` of its owner. The result depends on the ids and weights alone, not on
 * their order, the process or the machine. Ids must be distinct and `table` must have 16384 entries.
 * Cost: about 0.4 ms per owner.
 */
export function fillSlotTable(owners: readonly RingOwner[], table: Uint16Array): void {
  assert(owners.length >= 1 && owners.length <= OWNERS_MAX, `a ring has 1 to ${OWNERS_MAX} owners`);
  fillPreferenceTables(owners, [table]);
}

/**
 * Writes for every slot the indices in `owners` of its owner (the table of rank 0), of who would have it if that one were not there
 * (rank 1), and so on. Where there are fewer owners than tables the last ones stay as they are. Cost: about 0.5 ms per owner.
 */
export function fillPreferenceTables(owners: readonly RingOwner[], tables: readonly Uint16Array[]): void {
  for (const table of tables) assert(table.length === SLOT_COUNT, 'a slot table has one entry per slot');
  const distances = tables.map(() => new Float64Array(SLOT_COUNT).fill(Number.POSITIVE_INFINITY));
  const farthest = distances[distances.length - 1];
  const depths = new Uint16Array(SLOT_COUNT);
  for (const index of orderById(owners)) {
    const { id, weight = 1 } = owners[index];
    assert(weight > 0 && Number.isFinite(weight), `owner ${id} has a positive weight`);
    shuffleDepths(depths, hashText(id, DEPTHS_SEED));
    const placeSeed = hashText(id, PLACES_SEED);
    for (let slot = 0; slot < SLOT_COUNT; slot++) {
      const distance = weightedDistance(placeInArc(depths[slot], placeSeed, slot), weight);
      if (distance < farthest[slot]) insertOwner(distances, tables, slot, distance, index);
    }
  }
}

/**
 * How many slots each owner has in `table`, and the coefficient of variation of those counts (standard deviation over
 * mean), each count being taken relative to its owner's weight: 0 is perfectly even.
 */
export function slotBalance(
  table: Uint16Array,
  owners: readonly RingOwner[],
): { counts: number[]; coefficientOfVariation: number } {
  const counts: number[] = owners.map(() => 0);
  for (const owner of table) counts[owner]++;
  const weightTotal = owners.reduce((sum, { weight = 1 }) => sum + weight, 0);
  const squares = counts.map((count, index) => {
    const expected = (table.length * (owners[index].weight ?? 1)) / weightTotal;
    return (count / expected - 1) ** 2;
  });
  const variance = squares.reduce((sum, square) => sum + square, 0) / owners.length;
  return { counts, coefficientOfVariation: Math.sqrt(variance) };
}

/** Puts an owner behind those who are nearer; the last one, if there are as many as tables, falls out. */
function insertOwner(
  distances: readonly Float64Array[],
  tables: readonly Uint16Array[],
  slot: number,
  distance: number,
  index: number,
): void {
  let rank = tables.length - 1;
  for (; rank > 0 && distance < distances[rank - 1][slot]; rank--) {
    distances[rank][slot] = distances[rank - 1][slot];
    tables[rank][slot] = tables[rank - 1][slot];
  }
  distances[rank][slot] = distance;
  tables[rank][slot] = index;
}

/** Owners are entered in the order of their ids, so that a tie of two places falls the same way everywhere. */
function orderById(owners: readonly RingOwner[]): number[] {
  const order = owners.map((_, index) => index);
  order.sort((a, b) => (owners[a].id < owners[b].id ? -1 : 1));
  for (let i = 1; i < order.length; i++) {
    assert(
      owners[order[i]].id !== owners[order[i - 1]].id,
      `owner ${owners[order[i]].id} is in the ring once`,
    );
  }
  return order;
}

/** A permutation of 0 .. 16383 that depends on `seed` alone (Fisher-Yates, Durstenfeld 1964). */
function shuffleDepths(depths: Uint16Array, seed: number): void {
  for (let i = 0; i < depths.length; i++) depths[i] = i;
  for (let i = depths.length - 1; i > 0; i--) {
    const random = finalise((seed + Math.imul(i, GOLDEN_GAMMA)) | 0);
    const other = Math.floor((random / PLACES) * (i + 1));
    const depth = depths[i];
    depths[i] = depths[other];
    depths[other] = depth;
  }
}

/** The virtual node's place in its arc, 0 .. 2^32 - 1: its depth, then a hashed place within that depth. */
function placeInArc(depth: number, seed: number, slot: number): number {
  const within = finalise((seed + Math.imul(slot, GOLDEN_GAMMA)) | 0) >>> DEPTH_BITS;
  return depth * (1 << PLACE_BITS) + within;
}

/**
 * A place as a waiting time: exponential with rate `weight`, so that the first of several is each owner's with
 * probability exactly its share of the weights. It equals an owner having `weight` virtual nodes per arc, for any weight.
 */
function weightedDistance(place: number, weight: number): number {
  return -Math.log1p(-place / PLACES) / weight;
}

function hashText(text: string, seed: number): number {
  let hash = finalise(seed);
  for (let i = 0; i < text.length; i++) hash = finalise((hash + GOLDEN_GAMMA) ^ text.charCodeAt(i));
  return hash;
}

/** The 32-bit finaliser of MurmurHash3 (Appleby, fmix32): every input bit changes each output bit half of the time. */
function finalise(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
