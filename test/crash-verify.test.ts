/**
 * The crash harness is itself held to account: it finds each kind of damage, and nothing where there is none.
 */
import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import type { Found, FoundEntry } from './support/crash/found.ts';
import {
  createCounter,
  createHistory,
  createRegister,
  createSession,
  type History,
  noteAcknowledged,
  noteRead,
  noteSent,
  noteWrite,
} from './support/crash/history.ts';
import type { Operation } from './support/crash/keyspace-model.ts';
import { adoptFound, verifyFound } from './support/crash/verify.ts';

const NOW_MS = 1_700_000_000_000;
const DIED_MS = NOW_MS + 1000;
const READ_MS = NOW_MS + 5000;
const DAY_MS = 86_400_000;
const ROUND = 1;

type Expected = string | { readonly value: string; readonly deadlineMs: number };

function createScene(databases: readonly number[] = [0]) {
  const session = createSession('own:', databases);
  const register = createRegister(['single']);
  const group = createRegister(['group:0', 'group:1', 'group:2']);
  const counter = createCounter('counter');
  const history = createHistory([session], [register, group], [counter]);
  const send = (operation: Operation) => noteSent(session, operation, ROUND, NOW_MS);
  const acknowledge = (reply: string) => noteAcknowledged(session, reply, NOW_MS);
  const done = (operation: Operation, reply = '+OK') => {
    send(operation);
    expect(acknowledge(reply)).toBeUndefined();
  };
  return { history, session, register, group, counter, send, acknowledge, done };
}

function foundOf(entries: Readonly<Record<string, Expected>>, database = 0): Found {
  const keys = Object.entries(entries).map(([key, due]): [string, FoundEntry] => {
    const { value, deadlineMs } = typeof due === 'string' ? { value: due, deadlineMs: Infinity } : due;
    return [key, { bytes: Buffer.from(value), deadlineMs, readMs: READ_MS }];
  });
  return {
    databases: new Map([[database, new Map(keys)]]),
    span: { fromMs: READ_MS, toMs: READ_MS + 100 },
    problems: [],
  };
}

function kinds(history: History, found: Found): string[] {
  return verifyFound(history, found, DIED_MS).map(({ kind }) => kind);
}

function set(key: string, text: string): Operation {
  return { name: 'SET', key, bytes: Buffer.from(text), life: { kind: 'endless' } };
}

describe('a key of one connection', () => {
  it('must hold what the last acknowledged command left', () => {
    const { history, done } = createScene();
    done(set('own:a', '1'));
    done(set('own:a', '2'));
    expect(kinds(history, foundOf({ 'own:a': '2' }))).toEqual([]);
    expect(kinds(history, foundOf({ 'own:a': '1' }))).toEqual(['lost']);
    expect(kinds(history, foundOf({}))).toEqual(['lost']);
  });

  it('may hold what any command sent after it left, in order', () => {
    const { history, done, send } = createScene();
    done(set('own:a', '0'));
    for (const text of ['1', '2', '3']) send(set('own:a', text));
    for (const text of ['0', '1', '2', '3']) expect(kinds(history, foundOf({ 'own:a': text }))).toEqual([]);
    expect(kinds(history, foundOf({ 'own:a': '4' }))).toEqual(['phantom']);
  });

  it('must not hold bytes that were never written', () => {
    const { history, done } = createScene();
    done(set('own:a', 'right'));
    expect(kinds(history, foundOf({ 'own:a': 'wrong' }))).toEqual(['phantom']);
    expect(kinds(history, foundOf({ 'own:a': 'right', 'own:b': 'x' }))).toEqual(['phantom']);
  });

  it('stays deleted', () => {
    const { history, done } = createScene();
    done(set('own:a', '1'));
    done({ name: 'DEL', key: 'own:a' }, ':1');
    expect(kinds(history, foundOf({}))).toEqual([]);
    expect(kinds(history, foundOf({ 'own:a': '1' }))).toEqual(['resurrected']);
  });

  it('keeps every increment that was acknowledged, and each sent one once', () => {
    const { history, done, send } = createScene();
    done({ name: 'INCRBY', key: 'own:n', count: 5 }, ':5');
    done({ name: 'INCR', key: 'own:n' }, ':6');
    send({ name: 'INCR', key: 'own:n' });
    expect(kinds(history, foundOf({ 'own:n': '6' }))).toEqual([]);
    expect(kinds(history, foundOf({ 'own:n': '7' }))).toEqual([]);
    expect(kinds(history, foundOf({ 'own:n': '5' }))).toEqual(['lost']);
    expect(kinds(history, foundOf({ 'own:n': '8' }))).toEqual(['phantom']);
  });

  it('is appended to and overwritten in place once', () => {
    const { history, done } = createScene();
    done(set('own:a', 'abc'));
    done({ name: 'APPEND', key: 'own:a', bytes: Buffer.from('de') }, ':5');
    done({ name: 'SETRANGE', key: 'own:a', offset: 1, bytes: Buffer.from('XY') }, ':5');
    expect(kinds(history, foundOf({ 'own:a': 'aXYde' }))).toEqual([]);
    expect(kinds(history, foundOf({ 'own:a': 'aXYdede' }))).toEqual(['phantom']);
    expect(kinds(history, foundOf({ 'own:a': 'abcde' }))).toEqual(['lost']);
  });

  it('tells its history when it is wrong', () => {
    const { history, done, send } = createScene();
    done(set('own:a', '1'));
    send({ name: 'DEL', key: 'own:a' });
    const [finding] = verifyFound(history, foundOf({ 'own:a': '2' }), DIED_MS);
    expect(finding.where).toBe('"own:a" of database 0');
    expect(finding.history).toHaveLength(2);
    expect(finding.history[0]).toMatch(/^round 1 #1 SET "own:a" 1 bytes .* acknowledged$/);
    expect(finding.history[1]).toMatch(/^round 1 #2 DEL "own:a" sent$/);
  });
});

describe('several keys of one connection', () => {
  const both: Operation = {
    name: 'MSET',
    keys: ['own:a', 'own:b'],
    values: [Buffer.from('2'), Buffer.from('2')],
  };

  it('change together or not at all', () => {
    const { history, done, send } = createScene();
    done(set('own:a', '1'));
    done(set('own:b', '1'));
    send(both);
    expect(kinds(history, foundOf({ 'own:a': '1', 'own:b': '1' }))).toEqual([]);
    expect(kinds(history, foundOf({ 'own:a': '2', 'own:b': '2' }))).toEqual([]);
    expect(kinds(history, foundOf({ 'own:a': '2', 'own:b': '1' }))).toEqual(['torn']);
    expect(kinds(history, foundOf({ 'own:a': '1', 'own:b': '2' }))).toEqual(['torn']);
  });

  it('are renamed without being there twice or nowhere', () => {
    const { history, done, send } = createScene();
    done(set('own:a', '1'));
    send({ name: 'RENAME', key: 'own:a', target: 'own:b' });
    expect(kinds(history, foundOf({ 'own:a': '1' }))).toEqual([]);
    expect(kinds(history, foundOf({ 'own:b': '1' }))).toEqual([]);
    expect(kinds(history, foundOf({ 'own:a': '1', 'own:b': '1' }))).toEqual(['torn']);
    expect(kinds(history, foundOf({}))).toEqual(['torn']);
  });

  it('keep no later command without the earlier ones', () => {
    const { history, send } = createScene();
    send(set('own:a', '1'));
    send(set('own:b', '1'));
    expect(kinds(history, foundOf({ 'own:a': '1' }))).toEqual([]);
    expect(kinds(history, foundOf({ 'own:b': '1' }))).toEqual(['torn']);
  });

  it('are flushed and swapped with their database', () => {
    const { history, done } = createScene([6, 7]);
    done({ name: 'SELECT', database: 6 });
    done(set('own:a', '1'));
    done({ name: 'SWAPDB', database: 6, other: 7 });
    expect(kinds(history, foundOf({ 'own:a': '1' }, 7))).toEqual([]);
    expect(kinds(history, foundOf({ 'own:a': '1' }, 6))).toContain('lost');
    done({ name: 'SELECT', database: 7 });
    done({ name: 'FLUSHDB' });
    expect(kinds(history, foundOf({}, 7))).toEqual([]);
    expect(kinds(history, foundOf({ 'own:a': '1' }, 7))).toEqual(['resurrected']);
  });
});

describe('a deadline', () => {
  it('is the one that was set, and is not forgotten', () => {
    const { history, done } = createScene();
    done({ ...set('own:a', '1'), life: { kind: 'until', ms: NOW_MS + DAY_MS } } as Operation);
    const found = (deadlineMs: number) => foundOf({ 'own:a': { value: '1', deadlineMs } });
    expect(kinds(history, found(NOW_MS + DAY_MS))).toEqual([]);
    expect(kinds(history, found(NOW_MS + DAY_MS + 1))).toEqual(['deadline']);
    expect(kinds(history, found(Infinity))).toEqual(['deadline']);
    expect(kinds(history, foundOf({}))).toEqual(['lost']);
  });

  it('counts from when the server executed the command', () => {
    const { history, done } = createScene();
    done(set('own:a', '1'));
    done({ name: 'PEXPIRE', key: 'own:a', count: DAY_MS }, ':1');
    expect(kinds(history, foundOf({ 'own:a': { value: '1', deadlineMs: NOW_MS + DAY_MS } }))).toEqual([]);
    const late = { value: '1', deadlineMs: NOW_MS + DAY_MS + 4000 };
    expect(kinds(history, foundOf({ 'own:a': late }))).toEqual(['deadline']);
  });

  it('that has passed takes the key for good', () => {
    const { history, done } = createScene();
    done({ ...set('own:a', '1'), life: { kind: 'for', ms: 500 } } as Operation);
    expect(kinds(history, foundOf({}))).toEqual([]);
    expect(kinds(history, foundOf({ 'own:a': '1' }))).toEqual(['deadline']);
    expect(kinds(history, foundOf({ 'own:a': { value: '1', deadlineMs: NOW_MS + 500 } }))).toEqual([
      'deadline',
    ]);
  });

  it('that may have passed leaves two answers, and the reply tells which', () => {
    const { history, done } = createScene();
    done({ ...set('own:a', '1'), life: { kind: 'until', ms: NOW_MS } } as Operation);
    done({ name: 'APPEND', key: 'own:a', bytes: Buffer.from('2') }, ':1');
    expect(kinds(history, foundOf({ 'own:a': '2' }))).toEqual([]);
    expect(kinds(history, foundOf({ 'own:a': '12' }))).toEqual(['phantom']);
  });

  it('that has surely passed leaves one answer', () => {
    const { send, acknowledge, done } = createScene();
    done({ ...set('own:a', '1'), life: { kind: 'until', ms: NOW_MS - 1000 } } as Operation);
    send({ name: 'APPEND', key: 'own:a', bytes: Buffer.from('2') });
    expect(acknowledge(':2')?.kind).toBe('broken');
  });
});

describe('a register that several connections write', () => {
  it('holds no write that ended before another that was acknowledged began', () => {
    const { history, register } = createScene();
    noteWrite(history, register, 'x', 'x1').endedAt = history.tick += 1;
    noteWrite(history, register, 'y', 'y1').endedAt = history.tick += 1;
    expect(kinds(history, foundOf({ single: 'y1' }))).toEqual([]);
    expect(kinds(history, foundOf({ single: 'x1' }))).toEqual(['lost']);
    expect(kinds(history, foundOf({}))).toEqual(['lost']);
  });

  it('may hold either of two writes at the same time, or one that was not acknowledged', () => {
    const { history, register } = createScene();
    const first = noteWrite(history, register, 'x', 'x1');
    const second = noteWrite(history, register, 'y', 'y1');
    noteWrite(history, register, 'z', 'z1');
    first.endedAt = history.tick += 1;
    second.endedAt = history.tick += 1;
    for (const token of ['x1', 'y1', 'z1']) expect(kinds(history, foundOf({ single: token }))).toEqual([]);
    expect(kinds(history, foundOf({ single: 'w1' }))).toEqual(['phantom']);
  });

  it('holds what a reader saw, or something newer', () => {
    const { history, register } = createScene();
    noteWrite(history, register, 'x', 'x1').endedAt = history.tick += 1;
    noteWrite(history, register, 'y', 'y1');
    expect(kinds(history, foundOf({ single: 'x1' }))).toEqual([]);
    noteRead(history, register, 'reader', 'y1', history.tick);
    expect(kinds(history, foundOf({ single: 'x1' }))).toEqual(['lost']);
    expect(kinds(history, foundOf({ single: 'y1' }))).toEqual([]);
  });

  it('goes by the order in which readers saw writes that overlap', () => {
    const { history, register } = createScene();
    noteWrite(history, register, 'x', 'x1');
    noteWrite(history, register, 'y', 'y1');
    noteRead(history, register, 'reader', 'x1', history.tick);
    noteRead(history, register, 'another', 'y1', history.tick + 1);
    expect(kinds(history, foundOf({ single: 'x1' }))).toEqual(['lost']);
    expect(kinds(history, foundOf({ single: 'y1' }))).toEqual([]);
  });

  it('that was deleted stays deleted', () => {
    const { history, register } = createScene();
    noteWrite(history, register, 'x', 'x1').endedAt = history.tick += 1;
    noteWrite(history, register, 'y', null).endedAt = history.tick += 1;
    expect(kinds(history, foundOf({}))).toEqual([]);
    expect(kinds(history, foundOf({ single: 'x1' }))).toEqual(['resurrected']);
  });

  it('over a group of keys has one token in all of them', () => {
    const { history, group } = createScene();
    noteWrite(history, group, 'x', 'x1').endedAt = history.tick += 1;
    noteWrite(history, group, 'y', 'y1');
    const found = (...tokens: string[]) =>
      foundOf(Object.fromEntries(tokens.map((t, i) => [`group:${i}`, t])));
    expect(kinds(history, found('x1', 'x1', 'x1'))).toEqual([]);
    expect(kinds(history, found('y1', 'y1', 'y1'))).toEqual([]);
    expect(kinds(history, found('y1', 'x1', 'x1'))).toEqual(['torn']);
    expect(kinds(history, found('x1', 'x1'))).toEqual(['torn']);
  });
});

describe('a counter that several connections raise', () => {
  it('lies between what was acknowledged and what was sent', () => {
    const { history, counter } = createScene();
    counter.acknowledgedSum = 7;
    counter.sentSum = 9;
    for (const text of ['7', '8', '9']) expect(kinds(history, foundOf({ counter: text }))).toEqual([]);
    expect(kinds(history, foundOf({ counter: '6' }))).toEqual(['lost']);
    expect(kinds(history, foundOf({ counter: '10' }))).toEqual(['phantom']);
    expect(kinds(history, foundOf({ counter: 'ten' }))).toEqual(['phantom']);
    expect(kinds(history, foundOf({}))).toEqual(['lost']);
  });

  it('does not fall below what any reply showed', () => {
    const { history, counter } = createScene();
    counter.acknowledgedSum = 5;
    counter.sentSum = 10;
    counter.seen = 8;
    expect(kinds(history, foundOf({ counter: '7' }))).toEqual(['lost']);
    expect(kinds(history, foundOf({ counter: '8' }))).toEqual([]);
  });
});

describe('the whole', () => {
  it('finds a key that nobody writes', () => {
    const { history } = createScene();
    expect(kinds(history, foundOf({ stranger: '1' }))).toEqual(['phantom']);
    expect(kinds(history, foundOf({ 'own:a': '1' }, 3))).toEqual(['phantom']);
  });

  it('passes on what the server contradicts itself in', () => {
    const { history } = createScene();
    expect(kinds(history, { ...foundOf({}), problems: ['DBSIZE differs'] })).toEqual(['broken']);
  });

  it('finds a wrong answer while the server still runs', () => {
    const { send, acknowledge, done } = createScene();
    done(set('own:a', '1'));
    send({ name: 'GETDEL', key: 'own:a' });
    expect(acknowledge('$2')?.kind).toBe('broken');
    send(set('own:a', '1'));
    expect(acknowledge('-MISCONF')?.kind).toBe('refused');
  });

  it('goes on from what was found', () => {
    const { history, session, counter, register, send, done } = createScene();
    done(set('own:a', '1'));
    send(set('own:a', '2'));
    counter.sentSum = 4;
    noteWrite(history, register, 'x', 'x1');
    const found = foundOf({ 'own:a': '2', counter: '4', single: 'x1' });
    expect(kinds(history, found)).toEqual([]);
    adoptFound(history, found);
    expect(session.outstanding).toEqual([]);
    expect(kinds(history, found)).toEqual([]);
    expect(kinds(history, foundOf({ 'own:a': '1', counter: '4', single: 'x1' }))).toEqual(['lost']);
    expect(kinds(history, foundOf({ 'own:a': '2', counter: '3', single: 'x1' }))).toEqual(['lost']);
    expect(kinds(history, foundOf({ 'own:a': '2', counter: '4' }))).toEqual(['lost']);
  });
});
