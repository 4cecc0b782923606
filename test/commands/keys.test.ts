/** Commands on keys of any type: several shards, databases, deadlines and uses, without sockets. */
import { beforeEach, describe, expect, it } from 'vitest';
import { KEYSPACE_HITS, KEYSPACE_MISSES } from '../../src/metrics/names.ts';
import { slotOfKey } from '../../src/routing/slot.ts';
import { createHarness, type Harness } from '../support/harness.ts';

const OK = '+OK\r\n';
const NIL = '$-1\r\n';

let harness: Harness;
beforeEach(() => {
  harness = createHarness();
  return () => harness.expectWhole();
});

/** One key of each shard. */
function keyOfEachShard(): string[] {
  const names: string[] = [];
  for (let n = 0; Object.keys(names).length < harness.shards.length; n += 1) {
    const bytes = Buffer.from(`key:${n}`);
    names[harness.engine.slotShard[slotOfKey(bytes, 0, bytes.length)]] ??= `key:${n}`;
  }
  return names;
}

function bulk(text: string): string {
  return `$${text.length}\r\n${text}\r\n`;
}

describe('DEL, UNLINK, EXISTS and TOUCH', () => {
  it('count the keys that are there, in all shards, a key as often as it is named', () => {
    const [a, b, c] = keyOfEachShard();
    harness.run('MSET', a, '1', b, '2', c, '3');
    expect(harness.run('EXISTS', a, b, c, 'none', a)).toBe(':4\r\n');
    expect(harness.run('TOUCH', a, b, c, 'none', a)).toBe(':4\r\n');
    expect(harness.run('DEL', a, a, 'none')).toBe(':1\r\n');
    expect(harness.run('UNLINK', a, b, c)).toBe(':2\r\n');
    expect(harness.run('DBSIZE')).toBe(':0\r\n');
  });

  it('do not count a key whose time has passed', () => {
    harness.run('SET', 'key', 'value', 'PX', '10');
    harness.nowMs += 10;
    expect(harness.run('EXISTS', 'key')).toBe(':1\r\n');
    harness.nowMs += 1;
    expect(harness.run('EXISTS', 'key')).toBe(':0\r\n');
    expect(harness.run('TOUCH', 'key')).toBe(':0\r\n');
    expect(harness.run('DEL', 'key')).toBe(':0\r\n');
  });

  it('note hits, misses and uses as redis-server does', () => {
    const { counters } = harness.engine;
    harness.run('SET', 'key', 'value');
    const idle = () => harness.run('OBJECT', 'IDLETIME', 'key');
    const cases: [command: string[], hits: number, misses: number, isUse: boolean][] = [
      [['EXISTS', 'key', 'none'], 1, 1, false],
      [['TYPE', 'key'], 1, 0, false],
      [['TYPE', 'none'], 0, 1, false],
      [['TTL', 'key'], 1, 0, false],
      [['TTL', 'none'], 0, 1, false],
      [['PERSIST', 'none'], 0, 0, false],
      [['DEL', 'none'], 0, 0, false],
      [['TOUCH', 'key', 'none'], 1, 1, true],
      [['COPY', 'key', 'other'], 1, 0, true],
      [['COPY', 'none', 'other'], 0, 1, false],
      [['RENAME', 'key', 'key'], 0, 0, true],
      [['EXPIRE', 'key', '1000'], 0, 0, true],
    ];
    for (const [command, hits, misses, isUse] of cases) {
      harness.nowMs += 5000;
      const before = [counters[KEYSPACE_HITS], counters[KEYSPACE_MISSES]];
      harness.run(...command);
      const after = [counters[KEYSPACE_HITS], counters[KEYSPACE_MISSES]];
      expect([after[0] - before[0], after[1] - before[1]], command.join(' ')).toEqual([hits, misses]);
      expect(idle() === ':0\r\n', command.join(' ')).toBe(isUse);
    }
  });

  it('make TOUCH a use even for a client whose commands are none', () => {
    harness.run('SET', 'key', 'value');
    harness.session.noTouch = true;
    harness.nowMs += 9000;
    harness.run('GET', 'key');
    expect(harness.run('OBJECT', 'IDLETIME', 'key')).toBe(':9\r\n');
    harness.run('TOUCH', 'key');
    expect(harness.run('OBJECT', 'IDLETIME', 'key')).toBe(':0\r\n');
  });
});

describe('TYPE', () => {
  it('names a string, and nothing', () => {
    harness.run('SET', 'key', '1');
    expect(harness.run('TYPE', 'key')).toBe('+string\r\n');
    expect(harness.run('TYPE', 'none')).toBe('+none\r\n');
  });
});

describe('RENAME and RENAMENX', () => {
  it('carry value, deadline and encoding over, from every shard to every shard', () => {
    for (const from of keyOfEachShard()) {
      for (const to of keyOfEachShard().map((name) => `{${name}}new`)) {
        harness.run('SET', from, 'val', 'PX', '70007');
        harness.run('APPEND', from, 'ue');
        harness.run('SET', to, 'what is replaced, with a deadline of its own', 'EX', '5');
        expect(harness.run('RENAME', from, to)).toBe(OK);
        expect(harness.run('GET', from)).toBe(NIL);
        expect(harness.run('GET', to)).toBe(bulk('value'));
        expect(harness.run('PTTL', to)).toBe(':70007\r\n');
        expect(harness.run('OBJECT', 'ENCODING', to)).toBe(bulk('raw'));
        harness.expectWhole();
      }
    }
    expect(harness.run('DBSIZE')).toBe(':3\r\n');
  });

  it('drop the deadline of what they replace', () => {
    harness.run('SET', 'a', '1');
    harness.run('SET', 'b', '2', 'EX', '100');
    harness.run('RENAME', 'a', 'b');
    expect(harness.run('TTL', 'b')).toBe(':-1\r\n');
  });

  it('leave a key that is renamed to itself alone, and refuse one that is not there', () => {
    harness.run('SET', 'a', '1', 'EX', '100');
    expect(harness.run('RENAME', 'a', 'a')).toBe(OK);
    expect(harness.run('RENAMENX', 'a', 'a')).toBe(':0\r\n');
    expect(harness.run('TTL', 'a')).toBe(':100\r\n');
    expect(harness.run('RENAME', 'none', 'a')).toBe('-ERR no such key\r\n');
    expect(harness.run('RENAMENX', 'none', 'none')).toBe('-ERR no such key\r\n');
    expect(harness.run('GET', 'a')).toBe(bulk('1'));
  });

  it('take a name whose key has expired for new', () => {
    harness.run('SET', 'a', '1');
    harness.run('SET', 'b', '2', 'PX', '10');
    expect(harness.run('RENAMENX', 'a', 'b')).toBe(':0\r\n');
    harness.nowMs += 11;
    expect(harness.run('RENAMENX', 'a', 'b')).toBe(':1\r\n');
    expect(harness.run('GET', 'b')).toBe(bulk('1'));
  });

  it('carry the use counter over', () => {
    harness = createHarness({ flags: ['--maxmemory-policy', 'allkeys-lfu'] });
    harness.run('SET', 'a', '1');
    for (let n = 0; n < 500; n += 1) harness.run('GET', 'a');
    const before = harness.run('OBJECT', 'FREQ', 'a');
    harness.session.noTouch = true;
    harness.run('RENAME', 'a', 'b');
    expect(harness.run('OBJECT', 'FREQ', 'b')).toBe(before);
    harness.run('COPY', 'b', 'c');
    expect(harness.run('OBJECT', 'FREQ', 'c')).toBe(':5\r\n');
  });

  it('answer OOM and change nothing when there is no room for the copy', () => {
    harness = createHarness({ shards: 1, shardBytes: 2 ** 20, flags: ['--maxmemory-policy', 'noeviction'] });
    harness.run('SET', 'a', 'x'.repeat(700_000));
    expect(harness.run('RENAME', 'a', 'b')).toMatch(/^-OOM /);
    expect(harness.run('STRLEN', 'a')).toBe(':700000\r\n');
    expect(harness.run('EXISTS', 'b')).toBe(':0\r\n');
  });
});

describe('RENAME where room has to be made', () => {
  it('never takes it from the key itself, which is removed afterwards', () => {
    const flags = ['--maxmemory-policy', 'allkeys-random'];
    harness = createHarness({ shards: 1, shardBytes: 2 ** 16, flags });
    for (let step = 0; step < 800; step += 1) {
      for (const place of [0, 1, 2]) {
        harness.run('SET', `k${(step + place * 7) % 9}`, 'v'.repeat(3000 + ((step * 131) % 4000)));
      }
      for (const place of [0, 1, 2])
        harness.run('SET', `s${step % 20}${place}`, 'v'.repeat((step * 17) % 170));
      // Short, and changed in place: the copy is to have that form as well.
      if (harness.run('SETRANGE', 'src', '0', 'a'.repeat(44)) !== ':44\r\n') continue;
      harness.run('RENAME', 'src', `dst:${step % 3}:${'x'.repeat(190 + (step % 60))}`);
      harness.expectWhole();
    }
  });
});

describe('COPY', () => {
  it('copies value, deadline and encoding, and leaves the source', () => {
    const [a, b] = keyOfEachShard();
    harness.run('SET', a, 'value', 'EX', '100');
    expect(harness.run('COPY', a, b)).toBe(':1\r\n');
    expect(harness.run('MGET', a, b)).toBe(`*2\r\n${bulk('value')}${bulk('value')}`);
    expect(harness.run('TTL', b)).toBe(':100\r\n');
  });

  it('replaces only when asked to, in another database too', () => {
    harness.run('SET', 'a', '1');
    harness.run('SET', 'b', '2');
    expect(harness.run('COPY', 'a', 'b')).toBe(':0\r\n');
    expect(harness.run('COPY', 'a', 'b', 'replace')).toBe(':1\r\n');
    expect(harness.run('COPY', 'a', 'a', 'DB', '3')).toBe(':1\r\n');
    expect(harness.run('COPY', 'b', 'a', 'REPLACE', 'DB', '3', 'REPLACE')).toBe(':1\r\n');
    expect(harness.run('COPY', 'a', 'a', 'DB', '0')).toBe(
      '-ERR source and destination objects are the same\r\n',
    );
    harness.run('SELECT', '3');
    expect(harness.run('GET', 'a')).toBe(bulk('1'));
    expect(harness.run('DBSIZE')).toBe(':1\r\n');
  });
});

describe('MOVE', () => {
  it('moves a key with its deadline unless the other database has one', () => {
    harness.run('SET', 'key', 'value', 'EX', '100');
    expect(harness.run('MOVE', 'key', '2')).toBe(':1\r\n');
    expect(harness.run('MOVE', 'key', '2')).toBe(':0\r\n');
    harness.run('SET', 'key', 'other');
    expect(harness.run('MOVE', 'key', '2')).toBe(':0\r\n');
    harness.run('SELECT', '2');
    expect(harness.run('TTL', 'key')).toBe(':100\r\n');
    expect(harness.run('GET', 'key')).toBe(bulk('value'));
  });

  it('refuses its own database and one that is none', () => {
    expect(harness.run('MOVE', 'key', '0')).toBe('-ERR source and destination objects are the same\r\n');
    expect(harness.run('MOVE', 'key', '16')).toBe('-ERR DB index is out of range\r\n');
    expect(harness.run('MOVE', 'key', '-1')).toBe('-ERR DB index is out of range\r\n');
    expect(harness.run('MOVE', 'key', 'x')).toBe('-ERR value is not an integer or out of range\r\n');
    expect(harness.run('MOVE', 'key', '2147483648')).toBe(
      '-ERR value is out of range, value must between -2147483648 and 2147483647\r\n',
    );
  });
});
