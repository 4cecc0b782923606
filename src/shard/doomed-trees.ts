/**
 * The pages of collections that are gone: given back in slices, so that letting go of a large one takes no time.
 *
 * Runs on every thread, under the shard's lock. The heads of such collections are a list: control[DOOMED_TREES] names the first,
 * its LINK (collections/page.ts) the next. The shard's owner frees their pages a slice at a time, and whoever needs room some
 * before anything is evicted; until then they count as used. A tree loses its last page first, and its head last of all.
 */

import {
  childAt,
  headOf,
  isPage,
  levelOf,
  linkOf,
  parentOf,
  releasePage,
  usedOf,
  writeLink,
  writeOwner,
  writeUsed,
} from '../collections/page.ts';
import { takePages } from '../collections/page-walk.ts';
import { TREE_PAGES_AT_ONCE } from '../config/limits-collections.ts';
import { DOOMED_TREES, DOOMED_TREES_COUNT, NONE } from './layout.ts';
import type { Shard } from './shard.ts';

/** Lets go of the pages of an entry that is about to go, or to become a string: TREE_PAGES_AT_ONCE now, the rest later. */
export function doomTree(shard: Shard, ref: number): void {
  const head = headOf(shard, ref);
  if (head === NONE) return;
  const { control, entries } = shard;
  writeOwner(shard, head, NONE);
  writeLink(entries, head, control[DOOMED_TREES]);
  control[DOOMED_TREES] = head;
  control[DOOMED_TREES_COUNT] += 1;
  freeFirst(shard, TREE_PAGES_AT_ONCE);
}

/** Gives back at most `pagesMax` pages of collections that are gone; whether any are left. */
export function freeDoomedPages(shard: Shard, pagesMax: number): boolean {
  const { control } = shard;
  let left = pagesMax;
  while (left > 0 && control[DOOMED_TREES] !== NONE) left -= freeFirst(shard, left);
  return control[DOOMED_TREES] !== NONE;
}

/** What is wrong with the list and the pages of its trees, or how many pages there are. For checks: O(pages). */
export function countDoomedPages({ control, entries }: Shard): { pages: number; problem?: string } {
  let pages = 0;
  let trees = 0;
  const take = (page: number, parent: number): boolean => {
    pages += 1;
    return isPage(entries, page) && parentOf(entries, page) === parent;
  };
  for (let head = control[DOOMED_TREES]; head !== NONE; head = linkOf(entries, head)) {
    trees += 1;
    if (trees > control[DOOMED_TREES_COUNT]) break;
    if (!takePages(entries, head, NONE, take)) return { pages, problem: `doomed tree ${head} is not whole` };
  }
  if (trees === control[DOOMED_TREES_COUNT]) return { pages };
  return { pages, problem: `${trees} trees or more are doomed, ${control[DOOMED_TREES_COUNT]} are counted` };
}

/** Frees at most `pagesMax` pages of the first tree, which leaves the list with its head. Returns how many. */
function freeFirst(shard: Shard, pagesMax: number): number {
  const { control, entries } = shard;
  const head = control[DOOMED_TREES];
  let page = head;
  let freed = 0;
  while (freed < pagesMax) {
    const children = levelOf(entries, page) === 0 ? 0 : usedOf(entries, page);
    if (children > 0) {
      page = childAt(entries, page, children - 1);
      continue;
    }
    freed += 1;
    if (page === head) {
      control[DOOMED_TREES] = linkOf(entries, head);
      control[DOOMED_TREES_COUNT] -= 1;
      releasePage(shard, head);
      break;
    }
    const parent = parentOf(entries, page);
    writeUsed(entries, parent, usedOf(entries, parent) - 1);
    releasePage(shard, page);
    page = parent;
  }
  return freed;
}
