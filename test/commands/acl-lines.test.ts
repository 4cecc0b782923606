/** Tests of users as lines of files. What redis-server says of the same lines was looked up. */
import { describe, expect, it } from 'vitest';
import { userLine } from '../../src/commands/acl-describe.ts';
import { aclText, mergeRules, readAclText, readUserSettings } from '../../src/commands/acl-lines.ts';
import '../../src/commands/families.ts';

const DEFAULTS = { allowsAllChannels: false };
const NOTHING_LOADED =
  'WARNING: ACL errors detected, no change to the previously active ACL rules was performed';

describe('the words of a selector', () => {
  it.each([
    [
      ['on', '(~a', '+get)', 'off'],
      ['on', '(~a +get)', 'off'],
    ],
    [
      ['(~a)', '()'],
      ['(~a)', '()'],
    ],
    [['(~a', '', '+get)'], ['(~a  +get)']],
    [['('], 0],
    [['on', '(~a', 'b'], 1],
    [['(a', '(b', 'c)'], ['(b c)']],
    [[], []],
  ])('%j are %j', (words, merged) => {
    expect(mergeRules(words)).toEqual(merged);
  });
});

describe('an ACL file', () => {
  const errorsOf = (text: string): string => {
    const read = readAclText(text, 'f', DEFAULTS);
    return 'errors' in read ? read.errors : '';
  };

  it('declares users, with blank lines and blanks around', () => {
    const read = readAclText('\n  user ann on  ~a \t\r\n\r\nuser bob nopass\n', 'f', DEFAULTS);
    if ('errors' in read) throw new Error(read.errors);
    expect(read.users.map(userLine)).toEqual([
      'user ann on ~a resetchannels -@all',
      'user bob off nopass resetchannels -@all',
    ]);
  });

  it('is written as it is read', () => {
    const text = 'user a on #'.concat(
      '0'.repeat(64),
      ' ~x resetchannels &y -@all +get\nuser b off &* +@all\n',
    );
    const read = readAclText(text, 'f', DEFAULTS);
    if ('errors' in read) throw new Error(read.errors);
    expect(aclText(read.users.toReversed())).toBe(text);
  });

  it.each([
    ['usr x', 'f:1 should start with user keyword followed by the username. '],
    ['# a comment', 'f:1 should start with user keyword followed by the username. '],
    ['user', 'f:1 should start with user keyword followed by the username. '],
    ['user a\tb on', "'f:1: username 'a\tb' contains invalid characters. "],
    ['user a\nuser a', "WARNING: Duplicate user 'a' found on line 2. "],
    ['user c (~a +get', 'f:1: Unmatched parenthesis in selector definition.'],
    ['user a +nope', "f:1: Error in applying operation '+nope': Unknown command or category name in ACL. "],
    ['user "q q" on', 'f:1: Syntax error. '],
    [
      'user a zork #1 +@zz',
      "f:1: Syntax error. f:1: Error in applying operation '+@zz': Unknown command or category name in ACL. ",
    ],
  ])('with %j has errors', (text, errors) => {
    expect(errorsOf(text)).toBe(errors + NOTHING_LOADED);
  });

  it('tells all that is wrong, and never a password', () => {
    const errors = errorsOf('user a >p <secret\nuser b #secret\nuser c on\nnonsense');
    expect(errors.match(/f:\d/g)).toEqual(['f:1', 'f:2', 'f:4']);
    expect(errors).not.toContain('secret');
  });
});

describe('user lines of the configuration', () => {
  const read = (...lines: string[][]) =>
    readUserSettings(
      lines.map((words, index) => ({ place: `c:${index + 1}`, words })),
      DEFAULTS,
    );

  it('declare users, the default one from nothing on', () => {
    const found = read(['ann', 'on', '(~a', '+get)'], ['default', 'on', '>x', '~*']);
    if ('problem' in found) throw new Error(found.problem);
    const lines = [...found.users.values()].map(userLine);
    expect(lines[0]).toBe('user ann on resetchannels -@all (~a resetchannels -@all +get)');
    expect(lines[1]).toMatch(/^user default on sanitize-payload #2d71\w{60} ~\* resetchannels -@all$/);
  });

  it.each([
    [[[]], 1, /needs a name/],
    [[['a b']], 1, /spaces/],
    [[['a'], ['b'], ['a']], 3, /Duplicate user found/],
    [[['a', '(~b']], 1, /parenthesis/],
    [[['a', '+nope']], 1, /'\+nope': Unknown command/],
    [[['a', '~*', '~a']], 1, /Adding a pattern after the \* pattern/],
  ])('%j are refused with their place', (lines, line, problem) => {
    expect(read(...lines)).toEqual({ place: `c:${line}`, problem: expect.stringMatching(problem) });
  });

  it('keep what may be a password out of the error', () => {
    expect(JSON.stringify(read(['a', '!secret']))).not.toContain('secret');
    expect(JSON.stringify(read(['a', 'secret']))).not.toContain('secret');
  });
});
