/**
 * The named bounds of collections, beside those of limits.ts: how large a packed one grows, and what pages of a tree hold. Any thread.
 */
import { assert } from '../base/assert.ts';

const KIB = 1024;

/**
 * A packed collection becomes a tree beyond so many bytes of groups, or so many groups: its count has 16 bits. One that is small by
 * redis-server's thresholds keeps its order for longer than a walk is the faster way.
 */
export const PACKED_BYTES_MAX = 64 * KIB;
export const PACKED_LARGE_BYTES_MAX = 2 * KIB;
export const PACKED_GROUPS_MAX = 65_535;

/** Up to this a packed value gets exactly the room that it needs; a larger one gets an eighth more, so that it moves seldom. */
export const PACKED_EXACT_BYTES_MAX = 256;
export const PACKED_GROWTH_SHARE = 8;

assert(PACKED_EXACT_BYTES_MAX < PACKED_LARGE_BYTES_MAX, 'a small packed collection can grow');

/**
 * Pages of a tree. A leaf of more bytes than this is split, if it has more than one group, by what its tree goes by: lists are
 * pushed and popped at the ends; the others are searched from the start of a leaf, group by group.
 */
export const LIST_LEAF_BYTES_MAX = 12 * KIB;
export const HASH_LEAF_BYTES_MAX = 1 * KIB;
export const SCORE_LEAF_BYTES_MAX = 768;

/** An inner page begins with room for so many children, and doubles it up to the most. */
export const CHILDREN_MIN = 8;
export const CHILDREN_MAX = 128;

/** A leaf that grows gets an eighth of its bytes more than it needs, a list's as much again; and so much at least. */
export const LEAF_GROWTH_SHARE = 8;
export const LEAF_GROWTH_BYTES_MIN = 64;

/** The leaves that a packed collection becomes are filled to this share, by hash and by score. */
export const LEAF_FILL = 0.75;

/** The same where groups that ascend come at once: a copy of what was put in order is not much larger than that. */
export const SCORE_LEAF_FILL = 0.9;

/** More groups than this do not come at once: their numbers and their hashes have 53 bits together. */
export const FILL_GROUPS_MAX = 2 ** 21;

/** So much of a large collection is gathered in private memory while it is loaded; the rest is put group by group. */
export const LOAD_GATHERED_BYTES_MAX = 64 * KIB * KIB;

assert(
  PACKED_BYTES_MAX < (CHILDREN_MAX - 1) * LEAF_FILL * Math.min(HASH_LEAF_BYTES_MAX, SCORE_LEAF_BYTES_MAX),
  'the leaves that a packed collection becomes have one parent',
);

/** Inner pages between a tree's root and a leaf, at most: with at least two children each, more than the memory can hold. */
export const TREE_HEIGHT_MAX = 32;

/**
 * Pages of collections that are gone: so many are freed as one goes, so many in one slice of housekeeping (some 100 us), and so
 * many at a time before anything is evicted.
 */
export const TREE_PAGES_AT_ONCE = 3;
export const DOOMED_PAGES_PER_SLICE = 512;
export const DOOMED_PAGES_PER_EVICTION = 8;

/** Memory for the encoded arguments of one command that is kept for the next. */
export const ENCODED_BYTES_KEPT_MAX = 1024 * 1024;

/** Memory for the operations of one change that is kept for the next. */
export const CHANGE_BYTES_KEPT_MAX = KIB * KIB;

/** The copy of a list that changes in its middle begins again so many times before the rest of it is one piece. */
export const EXPORT_RESTARTS_MAX = 3;

/** A copy of a collection may need so much more than the collection, by pages that are less full. */
export const COPY_ROOM_SHARE = 1.25;
