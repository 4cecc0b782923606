/** Blocks of a Markdown text that a program writes. */
import { describe, expect, test } from 'vitest';
import { replaceBlocks } from '../../bench/support/marked-blocks.ts';

const begin = (name: string) => `<!-- bench:${name} -->`;
const end = (name: string) => `<!-- /bench:${name} -->`;

describe('a block', () => {
  test('gets its content between its marks, and nothing else changes', () => {
    const text = `above\n${begin('one')}\nold\n\nolder\n${end('one')}\nbelow\n`;
    const { text: result, replaced } = replaceBlocks(text, new Map([['one', 'new\n']]));
    expect(result).toBe(`above\n${begin('one')}\nnew\n${end('one')}\nbelow\n`);
    expect(replaced).toEqual(['one']);
  });

  test('may be empty, and come more than once', () => {
    const text = `${begin('a')}${end('a')} x ${begin('a')}${end('a')}`;
    const filled = `${begin('a')}\n1\n${end('a')}`;
    expect(replaceBlocks(text, new Map([['a', '1']])).text).toBe(`${filled} x ${filled}`);
  });

  test('written twice is as written once', () => {
    const blocks = new Map([['a-b', '| 1 |\n']]);
    const once = replaceBlocks(`${begin('a-b')}\n${end('a-b')}\n`, blocks).text;
    expect(replaceBlocks(once, blocks).text).toBe(once);
  });

  test('without content is left as it is, and told', () => {
    const text = `${begin('a')}\nold\n${end('a')}\n${begin('b')}\n${end('b')}`;
    const { text: result, left, replaced } = replaceBlocks(text, new Map([['b', 'new']]));
    expect(result).toBe(`${begin('a')}\nold\n${end('a')}\n${begin('b')}\nnew\n${end('b')}`);
    expect([left, replaced]).toEqual([['a'], ['b']]);
  });
});

test.each([
  ['does not end', `${begin('a')} x`],
  ['ends without having begun', `x ${end('a')}`],
  ['ends as another', `${begin('a')}${end('b')}`],
  ['stands in another', `${begin('a')}${begin('b')}${end('b')}${end('a')}`],
])('a block that %s is refused', (_, text) => {
  expect(() => replaceBlocks(text, new Map())).toThrow('block');
});

test('a text without blocks stays', () => {
  expect(replaceBlocks('# Title\n<!-- other -->\n', new Map([['a', 'b']])).text).toBe(
    '# Title\n<!-- other -->\n',
  );
});
