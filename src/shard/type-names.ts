/**
 * What the types of keys are called: by TYPE and SCAN, in reports and metrics. Constants only; any thread.
 */
import { TYPE_HASH, TYPE_LIST, TYPE_SET, TYPE_STRING, TYPE_ZSET } from './layout.ts';

/** No key has this name. */
export const NO_TYPE_NAME = 'none';

export const TYPE_NAMES: readonly { readonly type: number; readonly name: string }[] = [
  { type: TYPE_STRING, name: 'string' },
  { type: TYPE_LIST, name: 'list' },
  { type: TYPE_SET, name: 'set' },
  { type: TYPE_ZSET, name: 'zset' },
  { type: TYPE_HASH, name: 'hash' },
];

/** What TYPE calls a type of entries. */
export function typeName(type: number): string {
  return TYPE_NAMES.find((one) => one.type === type)?.name ?? NO_TYPE_NAME;
}
