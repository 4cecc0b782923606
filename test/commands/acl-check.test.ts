/** Tests of what a user may run, beyond what is compared with redis-server (test/differential/acl.test.ts). */
import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import {
  ALLOWED,
  allowsCommand,
  checkCommand,
  DENIED_CHANNEL,
  DENIED_COMMAND,
  DENIED_KEY,
  denied,
  isChannelAmong,
} from '../../src/commands/acl-check.ts';
import { createUser, setUserRule, type User } from '../../src/commands/acl-user.ts';
import type { Command } from '../../src/commands/call.ts';
import '../../src/commands/families.ts';
import { findByName } from '../../src/commands/registry.ts';

function userWith(...rules: string[]): User {
  const user = createUser('u', false);
  for (const rule of rules) expect([rule, setUserRule(user, rule, false)]).toEqual([rule, undefined]);
  return user;
}

function commandOf(name: string): Command {
  const command = findByName(name);
  if (command === undefined) throw new Error(`there is no ${name}`);
  return command;
}

/** The arguments lie somewhere in the middle of a larger input, as requests do. */
function check(user: User, name: string, ...args: string[]): number {
  const words = [...name.split('|'), ...args];
  const spans = new Int32Array(2 * words.length);
  let at = 5;
  for (const [index, word] of words.entries()) {
    spans.set([at, at + word.length], 2 * index);
    at += word.length + 3;
  }
  const bytes = Buffer.alloc(at + 10, '*');
  for (const [index, word] of words.entries()) bytes.write(word, spans[2 * index], 'latin1');
  return checkCommand(user, commandOf(name), { bytes, spans, count: words.length });
}

describe('a user', () => {
  it('needs the right to read, to write, or both, by what becomes of the key', () => {
    const rights: [rule: string, name: string, args: string[], reason: number][] = [
      ['%R~k', 'get', ['k'], ALLOWED],
      ['%W~k', 'get', ['k'], DENIED_KEY],
      ['%R~k', 'set', ['k', 'v'], DENIED_KEY],
      ['%W~k', 'set', ['k', 'v'], ALLOWED],
      ['%W~k', 'set', ['k', 'v', 'GET'], DENIED_KEY],
      ['~k', 'set', ['k', 'v', 'get'], ALLOWED],
      ['%R~k', 'del', ['k'], DENIED_KEY],
      ['%W~k', 'del', ['k'], ALLOWED],
      ['%W~k', 'getset', ['k', 'v'], DENIED_KEY],
      ['%RW~k', 'getset', ['k', 'v'], ALLOWED],
    ];
    for (const [rule, name, args, reason] of rights) {
      expect([rule, name, args, check(userWith('+@all', rule), name, ...args)]).toEqual([
        rule,
        name,
        args,
        reason,
      ]);
    }
  });

  it('needs one pattern for all that becomes of a key: one to read and one to write are not enough', () => {
    expect(check(userWith('+@all', '%R~k*', '%W~*k'), 'getset', 'k', 'v')).toBe(DENIED_KEY);
    expect(check(userWith('+@all', '%R~k', '%W~k'), 'getset', 'k', 'v')).toBe(ALLOWED);
  });

  it('needs one selector for the whole command', () => {
    const user = userWith('+get', '~a', '(+set ~b)', '(+mget ~c* ~a)');
    expect(check(user, 'get', 'a')).toBe(ALLOWED);
    expect(check(user, 'set', 'b', 'v')).toBe(ALLOWED);
    expect(check(user, 'set', 'a', 'v')).toBe(DENIED_KEY);
    expect(check(user, 'mget', 'a', 'c1', 'c2')).toBe(ALLOWED);
    expect(check(user, 'mget', 'a', 'b', 'c')).toBe(DENIED_KEY);
    expect(denied.argument).toBe(2);
    expect(check(user, 'mset', 'b', 'v')).toBe(DENIED_COMMAND);
  });

  it('is told of the key that comes last among those that stopped a selector', () => {
    const user = userWith('+mget', '~a', '(+mget ~a ~b)');
    expect(check(user, 'mget', 'a', 'b', 'c')).toBe(DENIED_KEY);
    expect(denied.argument).toBe(3);
  });

  it('may log in, leave and begin anew whatever it may not', () => {
    for (const name of ['auth', 'hello', 'quit', 'reset']) expect(check(userWith(), name, 'x')).toBe(ALLOWED);
  });

  it('may be allowed a command with some first arguments, in any case', () => {
    const user = userWith('+select|0', '+select|1', '~*');
    expect(['0', '1', '2'].map((argument) => check(user, 'select', argument))).toEqual([
      ALLOWED,
      ALLOWED,
      DENIED_COMMAND,
    ]);
    const word = userWith('+echo|Word');
    expect([check(word, 'echo', 'wORD'), check(word, 'echo', 'wor')]).toEqual([ALLOWED, DENIED_COMMAND]);
  });

  it('publishes and subscribes where its channels match, to patterns only where they are the very ones', () => {
    const user = userWith('+@all', '&a*', '&b?');
    expect(check(user, 'publish', 'abc', 'x')).toBe(ALLOWED);
    expect(check(user, 'publish', 'b', 'x')).toBe(DENIED_CHANNEL);
    expect(check(user, 'subscribe', 'a', 'b1', 'ab')).toBe(ALLOWED);
    expect(check(user, 'subscribe', 'a', 'c', 'ab')).toBe(DENIED_CHANNEL);
    expect(denied.argument).toBe(2);
    expect(check(user, 'psubscribe', 'a*', 'b?')).toBe(ALLOWED);
    expect(check(user, 'psubscribe', 'ab*')).toBe(DENIED_CHANNEL);
    expect(check(user, 'unsubscribe', 'c')).toBe(ALLOWED);
    expect(check(userWith('+@all', 'allchannels'), 'psubscribe', '*')).toBe(ALLOWED);
  });

  it('has a page where it may run its command', () => {
    const user = userWith('+@all', '-config', '(+config|get)');
    expect(allowsCommand(user, commandOf('config|get'))).toBe(true);
    expect(allowsCommand(user, commandOf('config|set'))).toBe(false);
    expect(allowsCommand(user, commandOf('info'))).toBe(true);
  });
});

it('what tells the names of all keys, or walks over them, is dangerous', () => {
  const user = userWith('+@all', '-@dangerous');
  for (const name of ['keys', 'cache.hotkeys', 'monitor', 'slowlog|get'])
    expect([name, allowsCommand(user, commandOf(name))]).toEqual([name, false]);
});

it('a channel is found in the middle of other bytes', () => {
  const channels = [{ text: 'n*', bytes: Buffer.from('n*') }];
  const bytes = Buffer.from('--news--');
  expect(isChannelAmong(channels, false, bytes, 2, 6)).toBe(true);
  expect(isChannelAmong(channels, true, bytes, 2, 6)).toBe(false);
  expect(isChannelAmong(channels, true, Buffer.from('-n*-'), 1, 3)).toBe(true);
});
