/**
 * What SORT is asked for: ASC and DESC, ALPHA, LIMIT, BY, GET and STORE, in any order; of several of a kind the last counts, but for GET.
 *
 * Runs on the thread of the command. Source of the rules: Redis 7.0 `sort.c`, `sortCommandGeneric`.
 */
import { writeError } from '../resp/reply-writer.ts';
import { mayReadAllKeys } from './acl-refusal.ts';
import { isWord, replySyntaxError } from './arguments.ts';
import type { Call } from './call.ts';
import { readPlace } from './collection-places.ts';
import { readSortPattern, type SortPattern } from './sort-pattern.ts';

export type SortOptions = {
  isDescending: boolean;
  isAlpha: boolean;
  /** The first place that is wanted, and how many; less than 0: all. */
  limitStart: number;
  limitCount: number;
  /** The argument that names the destination; 0 for none. */
  storeAt: number;
  /** A BY without a star: the order is left as it is. */
  isUnsorted: boolean;
  by: SortPattern | undefined;
  readonly gets: SortPattern[];
};

const OPTIONS_FROM = 2;

/** The options; undefined after answering what is wrong with them. */
export function readSortOptions(call: Call, isReadOnly: boolean): SortOptions | undefined {
  const options: SortOptions = {
    isDescending: false,
    isAlpha: false,
    limitStart: 0,
    limitCount: -1,
    storeAt: 0,
    isUnsorted: false,
    by: undefined,
    gets: [],
  };
  for (let index = OPTIONS_FROM; index < call.count; ) {
    const taken = readOption(call, index, isReadOnly, options);
    if (taken === 0) return undefined;
    index += taken;
  }
  return options;
}

/** How many arguments the option at `index` takes; 0 after answering that it is wrong. */
function readOption(call: Call, index: number, isReadOnly: boolean, options: SortOptions): number {
  const left = call.count - index - 1;
  if (isWord(call, index, 'ASC') || isWord(call, index, 'DESC')) {
    options.isDescending = isWord(call, index, 'DESC');
    return 1;
  }
  if (isWord(call, index, 'ALPHA')) {
    options.isAlpha = true;
    return 1;
  }
  if (left >= 2 && isWord(call, index, 'LIMIT')) return readLimit(call, index, options);
  if (left >= 1 && !isReadOnly && isWord(call, index, 'STORE')) {
    options.storeAt = index + 1;
    return 2;
  }
  if (left >= 1 && isWord(call, index, 'BY')) return readBy(call, index, options);
  if (left >= 1 && isWord(call, index, 'GET')) {
    if (isDenied(call, 'GET')) return 0;
    options.gets.push(readSortPattern(call, index + 1));
    return 2;
  }
  replySyntaxError(call);
  return 0;
}

function readLimit(call: Call, index: number, options: SortOptions): number {
  options.limitStart = readPlace(call, index + 1);
  if (Number.isNaN(options.limitStart)) return 0;
  options.limitCount = readPlace(call, index + 2);
  return Number.isNaN(options.limitCount) ? 0 : 3;
}

function readBy(call: Call, index: number, options: SortOptions): number {
  const by = readSortPattern(call, index + 1);
  if (by.parts === undefined) options.isUnsorted = true;
  else if (isDenied(call, 'BY')) return 0;
  options.by = by;
  return 2;
}

/** Keys that no argument names may be on another node, or not for the user to read; answers then. */
function isDenied(call: Call, option: string): boolean {
  const isElsewhere = call.engine.cluster !== undefined;
  if (!isElsewhere && mayReadAllKeys(call)) return false;
  writeError(
    call.reply,
    `ERR ${option} option of SORT denied ${isElsewhere ? 'in Cluster mode.' : 'due to insufficient ACL permissions.'}`,
  );
  return true;
}
