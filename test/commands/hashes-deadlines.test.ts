/** Fields of hashes that expire, in both forms of a hash and with a clock that is moved: what Redis 8.0 answers. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createHarness, type Harness } from '../support/harness.ts';
import { useTinyBounds, useUsualBounds } from '../support/sequences.ts';

const FIELDS = 'ERR Mandatory argument FIELDS is missing or not at the right position';
const COUNT = 'ERR The `numfields` parameter must match the number of arguments';
const POSITIVE = 'ERR Number of fields must be a positive integer';
const ABOVE_0 = 'ERR Parameter `numFields` should be greater than 0';
const NUMBER = 'ERR value is not an integer or out of range';
const WRONG_TYPE = 'WRONGTYPE Operation against a key holding the wrong kind of value';
const ONE_TIME = 'ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified';
const arity = (name: string) => `ERR wrong number of arguments for '${name}' command`;
const badTime = (name: string) => `ERR invalid expire time in '${name}' command`;

/** 2^46 - 1 is the last millisecond that redis-server takes. */
const LAST_MS = 70_368_744_177_663;

let harness: Harness;

/** One command of words between blanks; the reply without line ends. */
function say(text: string): string {
  return harness
    .run(...text.split(' '))
    .replaceAll('\r\n', ' ')
    .trim();
}

/** A hash of the fields a, b, c and of as many others as make it a tree if `isTree`. */
function fill(key = 'h'): void {
  say(`HSET ${key} a 1 b 2 c 3`);
  for (let field = 0; field < 10; field += 1) say(`HSET ${key} more${field} of-them${field}`);
}

/** Fields and what HPTTL says of them. */
function left(...fields: string[]): string {
  return say(`HPTTL h FIELDS ${fields.length} ${fields.join(' ')}`);
}

describe.each(['packed', 'tree'])('the fields of a hash that is %s', (form) => {
  beforeEach(() => {
    if (form === 'tree') useTinyBounds();
    harness = createHarness();
    fill();
  });
  afterEach(() => {
    harness.expectWhole();
    useUsualBounds();
  });

  it('get deadlines in four ways, and tell them in four', () => {
    const seconds = Math.floor(harness.nowMs / 1000);
    expect(say('HEXPIRE h 10 FIELDS 1 a')).toBe('*1 :1');
    expect(say('HPEXPIRE h 10001 FIELDS 2 b none')).toBe('*2 :1 :-2');
    expect(say(`HEXPIREAT h ${seconds + 7} FIELDS 1 c`)).toBe('*1 :1');
    expect(say(`hpexpireat h ${harness.nowMs + 3} fields 1 more1`)).toBe('*1 :1');
    expect(left('a', 'b', 'none', 'more1', 'more2')).toBe('*5 :10000 :10001 :-2 :3 :-1');
    expect(say('HTTL h FIELDS 5 a b more1 more2 none')).toBe('*5 :10 :11 :1 :-1 :-2');
    expect(say('HEXPIRETIME h FIELDS 2 c more2')).toBe(`*2 :${seconds + 7} :-1`);
    expect(say('HPEXPIRETIME h FIELDS 2 a none')).toBe(`*2 :${harness.nowMs + 10_000} :-2`);
    expect(say('HPEXPIRETIME nothing FIELDS 2 a b')).toBe('*2 :-2 :-2');
  });

  it('are there up to and including their last millisecond, and then for no command', () => {
    say('HPEXPIRE h 100 FIELDS 1 a');
    harness.nowMs += 100;
    expect(say('HGET h a')).toBe('$1 1');
    expect(left('a')).toBe('*1 :0');
    harness.nowMs += 1;
    expect(say('HGET h a')).toBe('$-1');
    expect(say('HMGET h a b')).toBe('*2 $-1 $1 2');
    expect(say('HEXISTS h a')).toBe(':0');
    expect(say('HSTRLEN h a')).toBe(':0');
    expect(left('a')).toBe('*1 :-2');
    expect(say('HPEXPIRETIME h FIELDS 1 a')).toBe('*1 :-2');
    expect(say('HGETALL h')).toMatch(/^\*24 (?!.*\$1 a )/);
    expect(say('HKEYS h')).toMatch(/^\*12 (?!.*\$1 a)/);
    expect(say('HVALS h')).toMatch(/^\*12 (?!.*\$1 1)/);
    expect(say('HRANDFIELD h 100')).toMatch(/^\*12 (?!.*\$1 a)/);
    expect(say('HRANDFIELD h -200 WITHVALUES')).not.toMatch(/\$1 a /);
    for (let draw = 0; draw < 100; draw += 1) expect(say('HRANDFIELD h')).not.toBe('$1 a');
    expect(say('HSCAN h 0 COUNT 100')).toMatch(/^\*2 \$1 0 \*24 (?!.*\$1 a )/);
    harness.run('SADD', 'set', 'h');
    expect(say('SORT set BY nosort GET *->a GET *->b')).toBe('*2 $-1 $1 2');
    // Nobody has removed it yet.
    expect(say('HLEN h')).toBe(':13');
  });

  it.each([
    ['HSETNX h a new', ':1', '$3 new'],
    ['HSET h a new b 2', ':1', '$3 new'],
    ['HMSET h a new', '+OK', '$3 new'],
    ['HINCRBY h a 5', ':5', '$1 5'],
    ['HINCRBYFLOAT h a 0.5', '$3 0.5', '$3 0.5'],
    ['HDEL h a b', ':1', '$-1'],
    ['HGETDEL h FIELDS 2 a b', '*2 $-1 $1 2', '$-1'],
    ['HGETEX h PERSIST FIELDS 2 a b', '*2 $-1 $1 2', '$-1'],
    ['HPEXPIRE h 1000 FIELDS 2 a b', '*2 :-2 :1', '$-1'],
    ['HPERSIST h FIELDS 2 a b', '*2 :-2 :-1', '$-1'],
    ['HSETEX h FNX FIELDS 1 a new', ':1', '$3 new'],
    ['HSETEX h FXX FIELDS 1 a new', ':0', '$-1'],
    ['HSETEX h KEEPTTL FIELDS 1 a new', ':1', '$3 new'],
  ])('that are due are none to those who change them: %s', (command, answer, value) => {
    say('HPEXPIRE h 5 FIELDS 1 a');
    harness.nowMs += 6;
    expect(say(command)).toBe(answer);
    expect(say('HGET h a')).toBe(value);
    expect(left('a')).toBe(value === '$-1' ? '*1 :-2' : '*1 :-1');
    expect(say('INFO stats')).toContain('expired_subkeys:1');
  });

  it('lose the deadline with the value, and keep it with what is counted on', () => {
    say('HPEXPIRE h 500 FIELDS 3 a b c');
    say('HSET h a 5');
    say('HINCRBY h b 5');
    say('HINCRBYFLOAT h c 0.5');
    expect(left('a', 'b', 'c')).toBe('*3 :-1 :500 :500');
    expect(say('HMGET h a b c')).toBe('*3 $1 5 $1 7 $3 3.5');
    say('HINCRBY h b 9007199254740993');
    expect(left('b')).toBe('*1 :500');
  });

  it.each([
    ['', 'none', ':1', ':200'],
    ['NX', 'none', ':1', ':200'],
    ['XX', 'none', ':0', ':-1'],
    ['GT', 'none', ':0', ':-1'],
    ['LT', 'none', ':1', ':200'],
    ['', '100', ':1', ':200'],
    ['NX', '100', ':0', ':100'],
    ['XX', '100', ':1', ':200'],
    ['gt', '100', ':1', ':200'],
    ['LT', '100', ':0', ':100'],
    ['GT', '200', ':0', ':200'],
    ['LT', '200', ':0', ':200'],
    ['GT', '300', ':0', ':300'],
    ['lt', '300', ':1', ':200'],
  ])('get a deadline on the condition "%s" where there is %s', (condition, before, answer, after) => {
    if (before !== 'none') say(`HPEXPIRE h ${before} FIELDS 1 a`);
    expect(say(`HPEXPIRE h 200 ${condition} FIELDS 1 a`.replace('  ', ' '))).toBe(`*1 ${answer}`);
    expect(left('a')).toBe(`*1 ${after}`);
  });

  it('go at once with a time that has passed, if the condition is met', () => {
    say('HPEXPIRE h 500 FIELDS 1 a');
    expect(say('HEXPIRE h 0 XX FIELDS 3 a b none')).toBe('*3 :2 :0 :-2');
    expect(say(`HPEXPIREAT h ${harness.nowMs} FIELDS 2 b b`)).toBe('*2 :2 :-2');
    expect(say('HMGET h a b c')).toBe('*3 $-1 $-1 $1 3');
    expect(say('HLEN h')).toBe(':11');
  });

  it('lose their deadlines by HPERSIST', () => {
    say('HPEXPIRE h 500 FIELDS 2 a b');
    expect(say('HPERSIST h FIELDS 3 a c none')).toBe('*3 :1 :-1 :-2');
    expect(left('a', 'b', 'c')).toBe('*3 :-1 :500 :-1');
    expect(say('HPERSIST nothing FIELDS 2 a b')).toBe('*2 :-2 :-2');
  });

  it('are read and given another deadline in one by HGETEX', () => {
    expect(say('HGETEX h FIELDS 2 a none')).toBe('*2 $1 1 $-1');
    expect(left('a')).toBe('*1 :-1');
    expect(say('HGETEX h EX 2 FIELDS 1 a')).toBe('*1 $1 1');
    expect(say('HGETEX h px 30 fields 1 b')).toBe('*1 $1 2');
    expect(left('a', 'b')).toBe('*2 :2000 :30');
    const seconds = Math.floor(harness.nowMs / 1000) + 9;
    expect(say(`HGETEX h EXAT ${seconds} FIELDS 1 a`)).toBe('*1 $1 1');
    expect(say(`HGETEX h PXAT ${harness.nowMs + 77} FIELDS 1 b`)).toBe('*1 $1 2');
    expect(left('a', 'b')).toBe(`*2 :${seconds * 1000 - harness.nowMs} :77`);
    expect(say('HGETEX h PERSIST FIELDS 2 a c')).toBe('*2 $1 1 $1 3');
    expect(left('a', 'c')).toBe('*2 :-1 :-1');
    expect(say('HGETEX h PXAT 5 FIELDS 2 a none')).toBe('*2 $1 1 $-1');
    expect(say('HEXISTS h a')).toBe(':0');
    expect(say('HGETEX nothing EX 5 FIELDS 2 a b')).toBe('*2 $-1 $-1');
  });

  it('are put with a deadline, or with the one that they have, by HSETEX', () => {
    expect(say('HSETEX h PX 70 FIELDS 2 a x new y')).toBe(':1');
    expect(left('a', 'new', 'b')).toBe('*3 :70 :70 :-1');
    expect(say('HSETEX h KEEPTTL FIELDS 2 a z b y')).toBe(':1');
    expect(say('HMGET h a b')).toBe('*2 $1 z $1 y');
    expect(left('a', 'b')).toBe('*2 :70 :-1');
    expect(say('HSETEX h FIELDS 1 a z')).toBe(':1');
    expect(left('a')).toBe('*1 :-1');
    const seconds = Math.floor(harness.nowMs / 1000) + 9;
    expect(say(`HSETEX h EXAT ${seconds} FIELDS 1 a 1`)).toBe(':1');
    expect(say(`HSETEX h PXAT ${harness.nowMs + 8} FIELDS 1 b 1`)).toBe(':1');
    expect(left('a', 'b')).toBe(`*2 :${seconds * 1000 - harness.nowMs} :8`);
    expect(say('HSETEX fresh EX 100 FIELDS 1 a 1')).toBe(':1');
    expect(say('HTTL fresh FIELDS 1 a')).toBe('*1 :100');
  });

  it('are put by HSETEX if all of them are there, or none', () => {
    expect(say('HSETEX h FNX FIELDS 2 x 1 a 1')).toBe(':0');
    expect(say('HSETEX h FXX FIELDS 2 b 1 x 1')).toBe(':0');
    expect(say('HMGET h a b x')).toBe('*3 $1 1 $1 2 $-1');
    expect(say('HSETEX h EX 5 FNX FIELDS 2 x 1 y 1')).toBe(':1');
    expect(say('HSETEX h FXX EX 6 FIELDS 2 x 2 a 2')).toBe(':1');
    expect(say('HMGET h a x y')).toBe('*3 $1 2 $1 2 $1 1');
    expect(left('a', 'x', 'y')).toBe('*3 :6000 :6000 :5000');
    expect(say('HSETEX nothing FXX FIELDS 1 a 1')).toBe(':0');
    expect(say('HSETEX nothing FNX FIELDS 1 a 1')).toBe(':1');
  });

  it('are not there any more after HSETEX with a time that has passed', () => {
    expect(say('HSETEX h PXAT 5 FIELDS 2 a 5 none 6')).toBe(':1');
    expect(say('HMGET h a none b')).toBe('*3 $-1 $-1 $1 2');
    expect(say('HSETEX nothing EX 0 FIELDS 1 a 5')).toBe(':1');
    expect(say('EXISTS nothing')).toBe(':0');
  });

  it('are read and go by HGETDEL', () => {
    say('HPEXPIRE h 500 FIELDS 1 a');
    expect(say('HGETDEL h FIELDS 4 a none b a')).toBe('*4 $1 1 $-1 $1 2 $-1');
    expect(say('HMGET h a b c')).toBe('*3 $-1 $-1 $1 3');
    expect(say('HGETDEL nothing FIELDS 2 a b')).toBe('*2 $-1 $-1');
  });

  it('take the hash with them, the last one, whichever way it goes', () => {
    for (const last of ['HGETDEL one FIELDS 1 a', 'HEXPIRE one 0 FIELDS 1 a', 'HDEL one a']) {
      say('HSETEX one PX 9 FIELDS 1 a 1');
      say(last);
      expect(say('EXISTS one')).toBe(':0');
    }
    say('HSETEX one PX 9 FIELDS 1 a 1');
    harness.nowMs += 10;
    expect(say('HSETNX one a 2')).toBe(':1');
    expect(say('HTTL one FIELDS 1 a')).toBe('*1 :-1');
    say('HPEXPIRE one 5 FIELDS 1 a');
    harness.nowMs += 10;
    expect(say('HDEL one a')).toBe(':0');
    expect(say('EXISTS one')).toBe(':0');
    say('HSETEX one PX 9 FIELDS 1 a 1');
    harness.nowMs += 10;
    expect(say('HGETALL one')).toBe('*0');
    expect(say('HRANDFIELD one')).toBe('$-1');
    expect(say('HRANDFIELD one 5')).toBe('*0');
  });

  it('keep their deadlines where the hash is copied, renamed and moved, into another database too', () => {
    say('HPEXPIRE h 500 FIELDS 2 a more3');
    for (const command of ['COPY h to', 'RENAME to there', 'COPY h there REPLACE', 'RENAME there h{1}']) {
      expect(say(command)).toMatch(/^(:1|\+OK)$/);
    }
    expect(say('HPTTL h{1} FIELDS 3 a b more3')).toBe('*3 :500 :-1 :500');
    say('RENAME h{1} h{1}b');
    say('EXPIRE h{1}b 100');
    say('RENAME h{1}b h{1}');
    expect(say('HPTTL h{1} FIELDS 3 a b more3')).toBe('*3 :500 :-1 :500');
    expect(say('MOVE h{1} 3')).toBe(':1');
    say('SELECT 3');
    expect(say('HPTTL h{1} FIELDS 3 a b more3')).toBe('*3 :500 :-1 :500');
    expect(say('TTL h{1}')).toBe(':100');
    harness.nowMs += 501;
    expect(say('HMGET h{1} a b')).toBe('*2 $-1 $1 2');
  });

  it('go with a hash that becomes something else', () => {
    for (const command of ['SET h x', 'SET h {} PX 1000'.replace('{}', 'x'.repeat(5000)), 'DEL h']) {
      say('HPEXPIRE h 500 FIELDS 1 a');
      say('PEXPIRE h 5000');
      say(command);
      harness.expectWhole();
      say('DEL h');
      fill();
      say('HPEXPIRE h 500 FIELDS 1 a');
      say(command);
      harness.expectWhole();
      say('DEL h');
      fill();
    }
  });

  it('have an encoding of their own while the hash is small', () => {
    expect(say('OBJECT ENCODING h')).toBe('$8 listpack');
    say('HPEXPIRE h 500 FIELDS 1 a');
    expect(say('OBJECT ENCODING h')).toBe('$10 listpackex');
    say(`HSET h long ${'x'.repeat(65)}`);
    expect(say('OBJECT ENCODING h')).toBe('$9 hashtable');
  });

  it('are answered for in RESP3 as well', () => {
    say('HELLO 3');
    expect(say('HPEXPIRE h 5 FIELDS 2 a none')).toBe('*2 :1 :-2');
    expect(say('HGETEX h FIELDS 2 a none')).toBe('*2 $1 1 _');
    harness.nowMs += 6;
    expect(say('HGETALL h')).toMatch(/^%12 /);
    expect(say('HRANDFIELD h 100 WITHVALUES')).toMatch(/^\*12 \*2 /);
    expect(say('HGETDEL h FIELDS 2 b none')).toBe('*2 $1 2 _');
    expect(say('HSETEX h FNX FIELDS 1 c 1')).toBe(':0');
  });
});

describe('what is wrong with a command on fields that expire', () => {
  beforeEach(() => {
    harness = createHarness();
    say('HSET h a 1 b 2');
    say('SET s x');
    return () => harness.expectWhole();
  });

  it.each([
    ['HEXPIRE s 1 FIELDS 1 a', WRONG_TYPE],
    ['HTTL s FIELDS 1 a', WRONG_TYPE],
    ['HPERSIST s FIELDS 1 a', WRONG_TYPE],
    ['HGETEX s FIELDS 1 a', WRONG_TYPE],
    ['HGETDEL s FIELDS 1 a', WRONG_TYPE],
    ['HSETEX s FIELDS 1 a 1', WRONG_TYPE],
    ['HEXPIRE s x FIELDS 1 a', WRONG_TYPE],
    ['HEXPIRE h 1 FIELDS 1', arity('hexpire')],
    ['HTTL h FIELDS 1', arity('httl')],
    ['HEXPIRE h x FIELDS 1 a', NUMBER],
    ['HEXPIRE h 9223372036854775808 FIELDS 1 a', NUMBER],
    ['HEXPIRE h -1 FIELDS 1 a', 'ERR invalid expire time, must be >= 0'],
    ['HPEXPIREAT h -9223372036854775808 FIELDS 1 a', 'ERR invalid expire time, must be >= 0'],
    ['HEXPIRE h 9223372036854775807 FIELDS 1 a', badTime('hexpire')],
    [`HPEXPIREAT h ${LAST_MS + 1} FIELDS 1 a`, badTime('hpexpireat')],
    [`HEXPIREAT h ${Math.floor(LAST_MS / 1000) + 1} FIELDS 1 a`, badTime('hexpireat')],
    [`HPEXPIRE h ${LAST_MS} FIELDS 1 a`, badTime('hpexpire')],
    ['HEXPIRE h 1 1 FIELDS a', FIELDS],
    ['HEXPIRE h 1 NX XX FIELDS 1 a', FIELDS],
    ['HEXPIRE h 1 FIELDS 0 a', ABOVE_0],
    ['HEXPIRE h 1 FIELDS x a', ABOVE_0],
    ['HEXPIRE h 1 FIELDS -9223372036854775808 a', ABOVE_0],
    ['HEXPIRE h 1 FIELDS 2 a', COUNT],
    ['HEXPIRE h 1 FIELDS 1 a b', COUNT],
    ['HEXPIRE h 1 NX FIELDS 1', COUNT],
    ['HEXPIRE h 1 FIELDS 9223372036854775807 a', COUNT],
    ['HTTL h FIELD 1 a', FIELDS],
    ['HTTL h FIELDS 0 a', POSITIVE],
    ['HTTL h FIELDS a b', POSITIVE],
    ['HTTL h FIELDS 2 a', COUNT],
    ['HPERSIST h 1 FIELDS a', FIELDS],
    ['HPERSIST h FIELDS 0 a', POSITIVE],
    ['HPERSIST h FIELDS 1 a b', COUNT],
    ['HGETDEL h FIELDS 0 a', POSITIVE],
    ['HGETDEL h a FIELDS 1', FIELDS],
    ['HGETDEL h FIELDS 3 a b', COUNT],
    ['HGETEX h EX FIELDS 1 a', NUMBER],
    ['HGETEX h EX -1 FIELDS 1 a', 'ERR invalid expire time, must be >= 0'],
    ['HGETEX h PX 9223372036854775807 FIELDS 1 a', badTime('hgetex')],
    ['HGETEX h EX 1 FIELDS', POSITIVE],
    ['HGETEX h EX 1 1 a', FIELDS],
    ['HGETEX h NX FIELDS 1 a', FIELDS],
    ['HGETEX h PERSIST EX 1 FIELDS 1 a', FIELDS],
    ['HGETEX h FIELDS 2 a', COUNT],
    ['HSETEX h EX 1 FIELDS 1 a', arity('hsetex')],
    ['HSETEX h FIELDS 1 a 1 b 2', arity('hsetex')],
    ['HSETEX h FIELDS 2 a 1 b', arity('hsetex')],
    ['HSETEX h FIELDS 0 a 1', 'ERR invalid number of fields'],
    ['HSETEX h FIELDS x a 1', 'ERR invalid number of fields'],
    ['HSETEX h FIELDS 2147483648 a 1', 'ERR invalid number of fields'],
    ['HSETEX h EX 1 PX 1 FIELDS 1 a 1', ONE_TIME],
    ['HSETEX h KEEPTTL EXAT 1 FIELDS 1 a 1', ONE_TIME],
    ['HSETEX h PXAT 1 KEEPTTL FIELDS 1 a 1', ONE_TIME],
    ['HSETEX h FNX FXX FIELDS 1 a 1', 'ERR Only one of FXX or FNX arguments can be specified'],
    ['HSETEX h NX FIELDS 1 a 1', 'ERR unknown argument: NX'],
    ['HSETEX h FNX KEEPTTL FNX EX', 'ERR Only one of FXX or FNX arguments can be specified'],
    ['HSETEX h FNX a b EX', 'ERR unknown argument: a'],
    ['HSETEX s EX x FIELDS 1 a 1', NUMBER],
    ['HSETEX h EX -5 FIELDS 1 a 1', 'ERR invalid expire time, must be >= 0'],
    ['HSETEX h FNX KEEPTTL FNX PX', 'ERR Only one of FXX or FNX arguments can be specified'],
    ['HSETEX h FNX PXAT 99999999999999 FIELDS 1 a 1', badTime('hsetex')],
  ])('is told: %s', (command, error) => {
    expect(say(command)).toBe(`-${error}`);
    expect(say('HPTTL h FIELDS 2 a b')).toBe('*2 :-1 :-1');
    expect(say('HMGET h a b')).toBe('*2 $1 1 $1 2');
  });

  it('is nothing up to the last millisecond that there is', () => {
    expect(say(`HPEXPIREAT h ${LAST_MS} FIELDS 1 a`)).toBe('*1 :1');
    expect(say('HPEXPIRETIME h FIELDS 1 a')).toBe(`*1 :${LAST_MS}`);
    expect(say(`HPEXPIRE h ${LAST_MS - harness.nowMs} FIELDS 1 b`)).toBe('*1 :1');
    expect(say('HPEXPIRETIME h FIELDS 1 b')).toBe(`*1 :${LAST_MS}`);
  });
});
