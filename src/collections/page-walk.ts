/**
 * A walk over the pages of a collection that trusts nothing that it reads: for checks, and for what a dead thread has left.
 *
 * Runs on every thread, under the shard's lock.
 */
import { type Arena, blockCells } from '../shard/arena.ts';
import { childAt, childrenMaxOf, innerCells, levelOf, orderOf, usedOf } from './page.ts';

/** Whether a page that is reached from `parent` (a page, an entry, or NONE) belongs there. */
type PageTaker = (page: number, parent: number) => boolean;

/**
 * Has `take` look at a page and at all below it, parents first, up to the first that it does not take or that cannot be what its
 * place says. Whether there was none. O(pages).
 */
export function takePages(arena: Arena, page: number, parent: number, take: PageTaker): boolean {
  if (!take(page, parent)) return false;
  const level = levelOf(arena, page);
  if (level === 0) return true;
  const children = usedOf(arena, page);
  if (children < 0 || children > childrenMaxOf(arena, page) || !hasRoom(arena, page)) return false;
  for (let place = 0; place < children; place += 1) {
    const child = childAt(arena, page, place);
    // Levels fall, so that no damage leads in a circle.
    if (levelOf(arena, child) >= level || !takePages(arena, child, page, take)) return false;
  }
  return true;
}

function hasRoom(arena: Arena, page: number): boolean {
  return innerCells(childrenMaxOf(arena, page), orderOf(arena, page)) <= blockCells(arena.words, page);
}
