/** The allocator against a plain map of intervals, with the whole arena checked behind every step. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Arena,
  allocate,
  arenaBytesFor,
  blockCells,
  cellsForBytes,
  checkArena,
  claimFreeBlock,
  firstBlock,
  formatArena,
  isFreeBlock,
  isWalkable,
  lastBlock,
  nextBlock,
  openArena,
  rebuildFreeLists,
  release,
  resizeInPlace,
  usedCells,
} from '../../src/shard/arena.ts';
import { CELL_BYTES, NONE, WORDS_PER_CELL } from '../../src/shard/layout.ts';

/** Used blocks and the cells that were asked for. */
type Model = Map<number, number>;

/** Smaller blocks have a list for each size. */
const EXACT_CELLS = 32;

/** A block may be one cell larger than asked for: what is left would be too small to be a block. */
const SPARE_CELLS_MAX = 1;

function createArena(cells: number): Arena {
  const arena = openArena(new SharedArrayBuffer(arenaBytesFor(cells * CELL_BYTES)));
  formatArena(arena);
  return arena;
}

function roomOf(arena: Arena): number {
  return lastBlock(arena) - firstBlock();
}

/** Fills the block with its own number, so that any overlap is seen. */
function take(arena: Arena, model: Model, cells: number): number {
  const ref = allocate(arena, cells);
  if (ref === NONE) return NONE;
  expect(blockCells(arena.words, ref) - cells).toBeLessThanOrEqual(SPARE_CELLS_MAX);
  model.set(ref, cells);
  stamp(arena, ref);
  return ref;
}

function stamp(arena: Arena, ref: number): void {
  const word = ref * WORDS_PER_CELL;
  arena.words.fill(ref, word + 1, word + blockCells(arena.words, ref) * WORDS_PER_CELL);
}

function give(arena: Arena, model: Model, ref: number): void {
  release(arena, ref);
  model.delete(ref);
}

function expectSame(arena: Arena, model: Model): void {
  expect(checkArena(arena)).toBeUndefined();
  let used = 0;
  for (const [ref, cells] of model) {
    const taken = blockCells(arena.words, ref);
    const word = ref * WORDS_PER_CELL;
    expect(isFreeBlock(arena, ref)).toBe(false);
    expect(taken).toBeGreaterThanOrEqual(cells);
    expect(
      arena.words.subarray(word + 1, word + taken * WORDS_PER_CELL).every((stamped) => stamped === ref),
    ).toBe(true);
    used += taken;
  }
  expect(usedCells(arena)).toBe(used);
}

describe('arena', () => {
  it('serves every size around every boundary of its classes, and merges all again', () => {
    const arena = createArena(2 ** 16);
    const sizes = new Set<number>();
    for (let power = 1; power <= 15; power += 1) {
      for (let step = 0; step < 32; step += 1) {
        const boundary = 2 ** power + Math.floor((step * 2 ** power) / 32);
        for (const cells of [boundary - 1, boundary, boundary + 1]) if (cells >= 2) sizes.add(cells);
      }
    }
    const model: Model = new Map();
    for (const cells of sizes) {
      const walls = [take(arena, model, 2), take(arena, model, cells), take(arena, model, 2)];
      expect(walls).not.toContain(NONE);
      give(arena, model, walls[1]);
      const again = take(arena, model, cells);
      expect(again, `${cells} cells`).not.toBe(NONE);
      if (cells < EXACT_CELLS) expect(again, `${cells} cells go back into their hole`).toBe(walls[1]);
      walls[1] = again;
      for (const ref of walls) give(arena, model, ref);
      expect(checkArena(arena)).toBeUndefined();
      expect(nextBlock(arena, firstBlock())).toBe(lastBlock(arena));
    }
  });

  it('merges neighbours whatever the order in which three of them are released', () => {
    for (const order of [
      [0, 1, 2],
      [0, 2, 1],
      [1, 0, 2],
      [1, 2, 0],
      [2, 0, 1],
      [2, 1, 0],
    ]) {
      const arena = createArena(64);
      const model: Model = new Map();
      const refs = [5, 2, 9].map((cells) => take(arena, model, cells));
      for (const index of order) {
        give(arena, model, refs[index]);
        expectSame(arena, model);
      }
      expect(nextBlock(arena, firstBlock())).toBe(lastBlock(arena));
    }
  });

  it('gives out all of its memory and then nothing, and takes it back', () => {
    const arena = createArena(1000);
    const model: Model = new Map();
    while (take(arena, model, 5) !== NONE);
    expect(roomOf(arena) - usedCells(arena)).toBeLessThan(5);
    expectSame(arena, model);
    for (const ref of [...model.keys()]) give(arena, model, ref);
    expect(usedCells(arena)).toBe(0);
    expect(take(arena, model, roomOf(arena))).toBe(firstBlock());
    expect(allocate(arena, 2)).toBe(NONE);
    expectSame(arena, model);
  });

  it('counts no block as an entry by what lay there before', () => {
    const arena = createArena(256);
    const model: Model = new Map();
    give(arena, model, take(arena, model, 100));
    arena.words.fill(-1, firstBlock() * WORDS_PER_CELL + 3, (firstBlock() + 90) * WORDS_PER_CELL);
    for (let cells = 2; cells < 12; cells += 1) {
      const ref = allocate(arena, cells);
      if (cells >= 5) expect(arena.words[ref * WORDS_PER_CELL + 9]).toBe(0);
      expect(checkArena(arena)).toBeUndefined();
    }
  });

  it('rounds bytes up to cells and never below the smallest block', () => {
    expect([0, 1, 8, 16, 17, 24, 25].map(cellsForBytes)).toEqual([2, 2, 2, 2, 3, 3, 4]);
  });

  it('tells a walkable arena from a broken one', () => {
    const arena = createArena(64);
    const ref = allocate(arena, 5);
    expect(isWalkable(arena)).toBe(true);
    for (const header of [0, 1 << 2, 1000 << 2]) {
      arena.words[ref * WORDS_PER_CELL] = header;
      expect(isWalkable(arena)).toBe(false);
      expect(checkArena(arena)).toBeDefined();
    }
  });
});

describe('arena under random programs', () => {
  it('agrees with a map of intervals', () => {
    fc.assert(
      fc.property(fc.integer({ min: 20, max: 600 }), fc.array(step, { maxLength: 120 }), (cells, steps) => {
        const arena = createArena(cells);
        const model: Model = new Map();
        for (const one of steps) {
          apply(arena, model, one);
          expectSame(arena, model);
        }
        for (const ref of [...model.keys()]) give(arena, model, ref);
        expect(nextBlock(arena, firstBlock())).toBe(lastBlock(arena));
      }),
      { numRuns: 150 },
    );
  });
});

const step = fc.record({
  kind: fc.constantFrom('take', 'take', 'take', 'give', 'give', 'resize', 'claim', 'rebuild'),
  which: fc.nat(1000),
  cells: fc.oneof(fc.integer({ min: 2, max: 12 }), fc.integer({ min: 2, max: 200 })),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function apply(arena: Arena, model: Model, { kind, which, cells }: Step): void {
  const known = [...model.keys()];
  const ref = known.length === 0 ? NONE : known[which % known.length];
  if (kind === 'take') {
    if (take(arena, model, cells) === NONE) expect(largestHole(arena)).toBeLessThan(cells * (1 + 1 / 16) + 1);
  } else if (kind === 'give' && ref !== NONE) {
    give(arena, model, ref);
  } else if (kind === 'resize' && ref !== NONE) {
    resize(arena, model, ref, cells);
  } else if (kind === 'claim') {
    claimSome(arena, model, which);
  } else if (kind === 'rebuild') {
    rebuild(arena, model, which);
  }
}

function resize(arena: Arena, model: Model, ref: number, cells: number): void {
  const current = blockCells(arena.words, ref);
  const behind = nextBlock(arena, ref);
  const room =
    current + (behind < lastBlock(arena) && isFreeBlock(arena, behind) ? blockCells(arena.words, behind) : 0);
  expect(resizeInPlace(arena, ref, cells)).toBe(cells <= room);
  if (cells > room) return;
  expect(blockCells(arena.words, ref) - cells).toBeLessThanOrEqual(Math.max(SPARE_CELLS_MAX, 0));
  model.set(ref, cells);
  stamp(arena, ref);
}

function freeBlocks(arena: Arena): number[] {
  const refs: number[] = [];
  for (let ref = firstBlock(); ref < lastBlock(arena); ref = nextBlock(arena, ref)) {
    if (isFreeBlock(arena, ref)) refs.push(ref);
  }
  return refs;
}

function largestHole(arena: Arena): number {
  return Math.max(0, ...freeBlocks(arena).map((ref) => blockCells(arena.words, ref)));
}

function claimSome(arena: Arena, model: Model, which: number): void {
  const holes = freeBlocks(arena);
  if (holes.length === 0) return;
  const ref = holes[which % holes.length];
  claimFreeBlock(arena, ref);
  model.set(ref, blockCells(arena.words, ref));
  stamp(arena, ref);
}

/** Drops every third block, forgets all lists, and makes them anew from the blocks that are kept. */
function rebuild(arena: Arena, model: Model, which: number): void {
  for (const [index, ref] of [...model.keys()].entries()) if ((index + which) % 3 === 0) model.delete(ref);
  rebuildFreeLists(arena, new Set(model.keys()));
}
