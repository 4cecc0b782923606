/**
 * A place in a collection: one of its groups, or the end. A command's walking stick.
 *
 * Runs on every thread; one is made for each place of use, and set anew by every seek. It is good until the next change
 * of the shard that is not made through it.
 */
import { Buffer } from 'node:buffer';
import { TREE_HEIGHT_MAX } from '../config/limits-collections.ts';
import { NONE } from '../shard/layout.ts';

export type Cursor = {
  /** The entry, which of its trees (0 the main one, 1 the members of a sorted set or the deadlines of a hash), and the type of its groups. */
  ref: number;
  type: number;
  root: number;
  /** The leaf page; NONE in a packed collection. */
  leaf: number;
  /** Where the leaf's groups lie: `bytes[start, end)`. The group at hand begins at `at`; at the end `at` is `end`. */
  bytes: Buffer;
  at: number;
  start: number;
  end: number;
  /** In a tree: the inner pages from the root down, and which child was taken in each. */
  depth: number;
  /** After a seek by rank in a tree: how many groups of the leaf come before the one at hand. */
  before: number;
  /** After a seek by hash in a tree: the least hash behind the leaf, 2^32 at the last. */
  hashEnd: number;
  readonly pages: Int32Array;
  readonly places: Int32Array;
};

const NOWHERE = Buffer.alloc(0);

export function createCursor(): Cursor {
  return {
    ref: NONE,
    type: 0,
    root: 0,
    leaf: NONE,
    bytes: NOWHERE,
    at: 0,
    start: 0,
    end: 0,
    depth: 0,
    before: 0,
    hashEnd: 0,
    pages: new Int32Array(TREE_HEIGHT_MAX),
    places: new Int32Array(TREE_HEIGHT_MAX),
  };
}
