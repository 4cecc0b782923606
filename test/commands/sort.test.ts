/** SORT where it is more than its replies: keys of all shards, what is counted, users and clusters that may not, and what it leaves. */
import { afterEach, describe, expect, it } from 'vitest';
import type { Session } from '../../src/commands/session.ts';
import { KEYSPACE_HITS, KEYSPACE_MISSES } from '../../src/metrics/names.ts';
import { HOLD_COUNT } from '../../src/shard/layout.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { openWorld, ownersBut } from '../support/routing-world.ts';

const DENIED = 'due to insufficient ACL permissions.\r\n';

let harness: Harness;
afterEach(() => harness.expectWhole());

const bulks = (...texts: string[]) =>
  `*${texts.length}\r\n${texts.map((text) => `$${text.length}\r\n${text}\r\n`).join('')}`;

/** Lists 0 to 19, with weights and names in the other order; their keys are in all shards. */
function openList(): void {
  harness = createHarness({ shards: 5 });
  for (let index = 0; index < 20; index += 1) {
    harness.run('RPUSH', 'list', `${index}`);
    harness.run('SET', `weight:${index}`, `${-index}`);
    harness.run('HSET', `hash:${index}`, 'name', `n${index}`);
  }
}

describe('patterns', () => {
  it('find keys of every shard', () => {
    openList();
    const backwards = Array.from({ length: 20 }, (_, i) => `n${19 - i}`);
    expect(harness.run('SORT', 'list', 'BY', 'weight:*', 'GET', 'hash:*->name')).toBe(bulks(...backwards));
    expect(harness.run('SORT_RO', 'list', 'BY', 'weight:*', 'GET', 'hash:*->name')).toBe(bulks(...backwards));
    harness.run('SORT', 'list', 'BY', 'weight:*', 'GET', 'hash:*->name', 'STORE', 'to');
    expect(harness.run('LRANGE', 'to', '0', '-1')).toBe(bulks(...backwards));
  });

  it('take the locks of all shards, where they have a star', () => {
    harness = createHarness({ shards: 5, flags: ['--lock-hold-sampling', '1'] });
    harness.run('RPUSH', 'list', '1');
    const locked = (...words: string[]): number => {
      const before = harness.shards.map(({ numbers }) => numbers[HOLD_COUNT]);
      harness.run(...words);
      return harness.shards.filter(({ numbers, index }) => numbers[HOLD_COUNT] > before[index]).length;
    };
    expect(locked('SORT', 'list', 'BY', 'weight:*')).toBe(5);
    expect(locked('SORT_RO', 'list', 'GET', 'hash:*->name')).toBe(5);
    expect(locked('SORT', 'list', 'BY', 'nosort', 'GET', '#')).toBe(1);
  });

  it('find them in transactions', () => {
    openList();
    harness.run('MULTI');
    harness.run('SORT', 'list', 'BY', 'weight:*', 'LIMIT', '0', '2', 'GET', '#', 'STORE', 'to');
    harness.run('LRANGE', 'to', '0', '-1');
    harness.run('SORT', 'list', 'BY', 'nosort', 'GET', 'hash:*->name', 'LIMIT', '3', '1');
    expect(harness.run('EXEC')).toBe(`*3\r\n:2\r\n${bulks('19', '18')}${bulks('n3')}`);
  });

  it('count what they find and what they miss', () => {
    openList();
    const { counters } = harness.engine;
    const before = [counters[KEYSPACE_HITS], counters[KEYSPACE_MISSES]];
    harness.run('SORT', 'list', 'BY', 'weight:*', 'GET', 'none:*', 'LIMIT', '0', '3');
    expect([counters[KEYSPACE_HITS], counters[KEYSPACE_MISSES]]).toEqual([before[0] + 21, before[1] + 3]);
  });

  it('do not find what has expired', () => {
    openList();
    harness.run('PEXPIRE', 'weight:19', '10');
    harness.nowMs += 11;
    expect(harness.run('SORT', 'list', 'BY', 'weight:*', 'LIMIT', '0', '1')).toBe(bulks('18'));
    expect(harness.run('SORT', 'list', 'GET', 'weight:*', 'DESC', 'LIMIT', '0', '1')).toBe('*1\r\n$-1\r\n');
  });
});

describe('STORE', () => {
  it('replaces whatever the key was, its time to live as well', () => {
    openList();
    for (const make of [
      ['SET', 'to', 'x'],
      ['SADD', 'to', 'x'],
      ['RPUSH', 'to', 'x'],
    ]) {
      harness.run('DEL', 'to');
      harness.run(...make);
      harness.run('EXPIRE', 'to', '100');
      expect(harness.run('SORT', 'list', 'LIMIT', '0', '2', 'STORE', 'to')).toBe(':2\r\n');
      expect(harness.run('TTL', 'to')).toBe(':-1\r\n');
      expect(harness.run('LRANGE', 'to', '0', '-1')).toBe(bulks('0', '1'));
    }
  });

  it('changes nothing where an element has no number', () => {
    openList();
    harness.run('RPUSH', 'list', 'x');
    harness.run('SET', 'to', 'before');
    expect(harness.run('SORT', 'list', 'STORE', 'to')).toContain("can't be converted into double");
    expect(harness.run('GET', 'to')).toBe('$6\r\nbefore\r\n');
  });

  it('takes more than the packed form of a list holds', () => {
    harness = createHarness();
    const texts = Array.from({ length: 3000 }, (_, i) => `element ${(i * 7919) % 3000}`);
    harness.run('RPUSH', 'list', ...texts);
    expect(harness.run('SORT', 'list', 'ALPHA', 'STORE', 'list')).toBe(':3000\r\n');
    expect(harness.run('LRANGE', 'list', '0', '-1')).toBe(bulks(...[...texts].sort()));
  });
});

describe('BY and GET with patterns', () => {
  async function login(...rules: string[]): Promise<Session> {
    harness.run('ACL', 'SETUSER', 'u', 'reset', 'on', 'nopass', '+@all', ...rules);
    while (harness.deferredReplies.length === 0) await new Promise(setImmediate);
    expect(harness.deferredReplies.shift()).toBe('+OK\r\n');
    const session = harness.connect();
    expect(harness.runAs(session, 'AUTH', 'u', 'x')).toBe('+OK\r\n');
    return session;
  }

  it.each([
    { rules: ['~list'], may: false },
    { rules: ['%R~list', '%W~*'], may: false },
    { rules: ['%R~*'], may: true },
    { rules: ['~*'], may: true },
    { rules: ['~list', '(-@all +get ~*)'], may: false },
    { rules: ['~list', '(+sort %R~*)'], may: true },
  ])('need the right to read all keys: $rules', async ({ rules, may }) => {
    openList();
    const session = await login(...rules);
    const by = harness.runAs(session, 'SORT', 'list', 'BY', 'weight:*', 'LIMIT', '0', '1');
    expect(by).toBe(may ? bulks('19') : `-ERR BY option of SORT denied ${DENIED}`);
    const get = harness.runAs(session, 'SORT', 'list', 'GET', '#', 'LIMIT', '0', '1');
    expect(get).toBe(may ? bulks('0') : `-ERR GET option of SORT denied ${DENIED}`);
    const nosort = harness.runAs(session, 'SORT', 'list', 'BY', 'nosort', 'LIMIT', '0', '1');
    expect(nosort).toBe(bulks('0'));
  });

  it('are refused in a cluster, where the keys may be on other nodes', () => {
    ({ harness } = openWorld({ ownerOf: ownersBut({}) }));
    harness.run('RPUSH', 'list', '2', '1');
    expect(harness.run('SORT', 'list', 'BY', 'nosort')).toBe(bulks('2', '1'));
    expect(harness.run('SORT', 'list', 'BY', 'w*')).toBe(
      '-ERR BY option of SORT denied in Cluster mode.\r\n',
    );
    expect(harness.run('SORT_RO', 'list', 'GET', '#')).toBe(
      '-ERR GET option of SORT denied in Cluster mode.\r\n',
    );
  });
});
