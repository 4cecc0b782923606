/** Lines of a configuration file: splitting, quoting, and both ways round. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { quoteArgument, splitArguments } from '../../src/config/arguments.ts';

describe('arguments of a line', () => {
  it('are words between blanks', () => {
    expect(splitArguments('')).toEqual([]);
    expect(splitArguments(' \t ')).toEqual([]);
    expect(splitArguments('save 60  1\t300 10 ')).toEqual(['save', '60', '1', '300', '10']);
  });

  it('keep blanks and escapes inside double quotes', () => {
    expect(splitArguments('logfile "a b"')).toEqual(['logfile', 'a b']);
    expect(splitArguments('x ""')).toEqual(['x', '']);
    expect(splitArguments(String.raw`x "\n\r\t\b\a\"\\\q"`)).toEqual(['x', '\n\r\t\b\x07"\\q']);
    expect(splitArguments(String.raw`x "\x41\xg"`)).toEqual(['x', 'Axg']);
  });

  it('take escapes as bytes of UTF-8', () => {
    expect(splitArguments(String.raw`requirepass "\xc3\xa9é"`)).toEqual(['requirepass', 'éé']);
  });

  it('keep everything but an escaped quote inside single quotes', () => {
    expect(splitArguments(String.raw`x 'a\n\'b'`)).toEqual(['x', String.raw`a\n'b`]);
  });

  it('may open quotes inside a word, but not go on after the closing quote', () => {
    expect(splitArguments('ab"c d"')).toEqual(['abc d']);
    expect(splitArguments('"ab"c')).toBeUndefined();
    expect(splitArguments("'ab'c")).toBeUndefined();
  });

  it('are refused where a quote stays open', () => {
    for (const line of ['"', "'", 'x "abc', "x 'abc", 'x "abc\\"', 'x "abc\\']) {
      expect(splitArguments(line), line).toBeUndefined();
    }
  });

  it('read back what they quote', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme' })), (texts) => {
        expect(splitArguments(texts.map(quoteArgument).join(' '))).toEqual(texts);
      }),
    );
  });

  it('are quoted as printable ASCII only', () => {
    expect(quoteArgument('a"b\\c\né\x00')).toBe(String.raw`"a\"b\\c\n\xc3\xa9\x00"`);
  });
});
