/** Operations of collections in words, as `distcache inspect` has them. */
import { expect, it } from 'vitest';
import {
  OP_ADD,
  OP_DEADLINE,
  OP_FORM,
  OP_POP_HEAD,
  OP_REMOVE,
  OP_REMOVE_AT,
  OP_SET_AT,
} from '../../src/collections/change.ts';
import { areOpsSane } from '../../src/collections/ops.ts';
import { opsText } from '../../src/durability/collection-text.ts';
import { TYPE_HASH, TYPE_LIST, TYPE_SET, TYPE_ZSET } from '../../src/shard/layout.ts';
import { encodeOperations, type Operation } from '../support/operations.ts';

function operation(code: number, argument: number, ...texts: string[]): Operation {
  return { code, argument, texts };
}

it.each([
  [TYPE_HASH, [operation(OP_ADD, 0, 'f', 'v until 5000', '7', '8')], 'ADD "f"="v" until 5000 7=8'],
  [
    TYPE_HASH,
    [operation(OP_DEADLINE, 0, 'f', '5000', '7', '0'), operation(OP_REMOVE, 0, 'f', '7')],
    'DEADLINE "f" until 5000 7 for ever, REMOVE "f" 7',
  ],
  [TYPE_ZSET, [operation(OP_FORM, 2), operation(OP_ADD, 0, '1.5', 'm')], 'FORM 2, ADD "m":1.5'],
  [TYPE_SET, [operation(OP_REMOVE, 0, '-7', 'm')], 'REMOVE -7 "m"'],
  [
    TYPE_LIST,
    [operation(OP_SET_AT, 3, 'x'), operation(OP_POP_HEAD, 2), operation(OP_REMOVE_AT, 4, '9')],
    'SET_AT 3 "x", POP_HEAD 2, REMOVE_AT 4 count 9',
  ],
])('operations of type %i are told', (type, operations, text) => {
  const bytes = encodeOperations(type, operations);
  expect(areOpsSane(type, bytes, 0, bytes.length)).toBe(true);
  expect(opsText(type, bytes, 0, bytes.length)).toBe(text);
});

it('deadlines are for hashes only', () => {
  const bytes = encodeOperations(TYPE_HASH, [operation(OP_DEADLINE, 0, 'f', '5000')]);
  for (const type of [TYPE_LIST, TYPE_SET, TYPE_ZSET])
    expect(areOpsSane(type, bytes, 0, bytes.length)).toBe(false);
});
