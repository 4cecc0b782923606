/**
 * What of transactions is this server's own: locks, journals, memory, replies that come later. What redis-server does as well stands in
 * test/differential/transactions.test.ts.
 */
import { inspect } from 'node:util';
import { beforeEach, describe, expect, it } from 'vitest';
import { installClientTopics } from '../../src/commands/client.ts';
import { findByName } from '../../src/commands/registry.ts';
import { installServerTopics } from '../../src/commands/server-topics.ts';
import { GUARD_QUEUE } from '../../src/commands/session.ts';
import { applyThresholds } from '../../src/commands/timing.ts';
import { endTransaction } from '../../src/commands/transactions.ts';
import {
  JOURNAL_SOFT_BYTES,
  WATCHED_BYTES_MAX,
  WATCHED_KEY_OVERHEAD_BYTES,
} from '../../src/config/limits.ts';
import { COMMAND_NS, LIMIT_CUTS } from '../../src/metrics/names.ts';
import { closeGate, GATE_LOADING, GATE_LOG, openGate } from '../../src/resilience/gate.ts';
import {
  isJournalBroken,
  pendingBytes,
  pendingIsGrouped,
  pendingRecords,
  roomForRecords,
  startJournaling,
} from '../../src/shard/journal.ts';
import { EVICTED_KEYS, LOCK, LSN, WATCHED_ABSENT } from '../../src/shard/layout.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { take } from '../support/journal.ts';
import { eventually } from '../support/readings.ts';

const EXECABORT = '-EXECABORT Transaction discarded because of:';

let harness: Harness;
beforeEach(() => {
  harness = createHarness();
});

/** The reply of EXEC to these commands. */
function transact(...commands: readonly (readonly string[])[]): string {
  harness.run('MULTI');
  for (const command of commands) expect(harness.run(...command)).toBe('+QUEUED\r\n');
  return harness.run('EXEC');
}

function lsnsOf({ shards }: Harness): number {
  return shards.reduce((sum, { numbers }) => sum + numbers[LSN], 0);
}

function expectUnlocked(): void {
  for (const { control } of harness.shards) expect(control[LOCK]).toBe(0);
  expect(harness.session.guards & GUARD_QUEUE).toBe(0);
  expect(harness.session.transaction).toBeUndefined();
  harness.expectWhole();
}

/** A key in each shard. */
function keyOfEach({ shards, engine }: Harness): string[] {
  const keys = shards.map(() => '');
  for (let i = 0; keys.includes(''); i += 1) {
    const before = shards.map(({ numbers }) => numbers[LSN]);
    harness.run('SET', `key${i}`, 'x');
    keys[shards.findIndex(({ numbers }, index) => numbers[LSN] !== before[index])] = `key${i}`;
  }
  expect(engine.changes.writes).toBeGreaterThan(0);
  return keys;
}

describe('the log', () => {
  it('gets the records of all shards of a transaction as one group, and knows of one change', () => {
    const keys = keyOfEach(harness);
    for (const shard of harness.shards) startJournaling(shard);
    const { changes } = harness.engine;
    const writesBefore = changes.writes;
    transact(...keys.map((key) => ['APPEND', key, 'y']), ['GET', 'nosuch'], ['DEL', keys[0]]);
    expect(changes.writes).toBe(writesBefore + 1);
    expect(harness.shards.map(pendingIsGrouped)).toEqual([true, true, true]);
    expect(harness.shards.map(pendingRecords)).toEqual([2, 1, 1]);
    expect(changes.count).toBe(3);
    expectUnlocked();
  });

  it('knows of no change where nothing changed, or only was read', () => {
    for (const shard of harness.shards) startJournaling(shard);
    transact(['GET', 'a'], ['DEL', 'a']);
    expect(harness.engine.changes.writes).toBe(0);
    expect(harness.shards.some(pendingIsGrouped)).toBe(false);
  });

  it('is written before the first command or behind the last one, never in between', () => {
    const keys = keyOfEach(harness);
    for (const shard of harness.shards) startJournaling(shard);
    const drained: number[] = [];
    harness.engine.drainLog = () => {
      for (const { control } of harness.shards) expect(control[LOCK]).toBe(0);
      drained.push(lsnsOf(harness));
      for (const shard of harness.shards) take(shard);
    };
    harness.run('SET', keys[0], 'x'.repeat(JOURNAL_SOFT_BYTES + 1));
    const before = lsnsOf(harness);
    const long = 'y'.repeat(JOURNAL_SOFT_BYTES);
    const replies = transact(...keys.flatMap((key) => [1, 2, 3].map(() => ['SET', key, long])));
    expect(replies.startsWith('*9\r\n+OK\r\n')).toBe(true);
    expect(drained).toEqual([before]);
    expect(pendingBytes(harness.shards[0])).toBeGreaterThan(3 * JOURNAL_SOFT_BYTES);
  });

  it('makes no room for a transaction whose records could overflow a journal: nothing of it is executed', () => {
    harness = createHarness({ shards: 1, shardBytes: 2 ** 20 });
    const [shard] = harness.shards;
    startJournaling(shard);
    const value = 'x'.repeat(300_000);
    const sets = Array.from({ length: 40 }, () => ['SET', 'k', value]);
    const before = lsnsOf(harness);
    expect(transact(...sets)).toBe(`${EXECABORT} its changes do not fit into the log at once\r\n`);
    expect([lsnsOf(harness), harness.run('EXISTS', 'k')]).toEqual([before, ':0\r\n']);
    expect(transact(...sets.slice(0, 20))).toMatch(/^\*20\r\n\+OK/);
    take(shard);
    // Their records hold the value of another key, of which the arguments say nothing.
    const copies = Array.from({ length: 40 }, (_, i) => ['COPY', 'k', `k${i % 2}`, 'REPLACE']);
    expect(transact(...copies)).toBe(`${EXECABORT} its changes do not fit into the log at once\r\n`);
    expect(transact(...copies.slice(0, 10))).toMatch(/^\*10\r\n:1/);
    take(shard);
    expect(transact(['SELECT', '1'], ['SELECT', '0'], ...copies)).toContain('EXECABORT');
    const unlogged = createHarness({ shards: 1, shardBytes: 2 ** 20 });
    unlogged.run('MULTI');
    for (const set of sets) unlogged.run(...set);
    expect(unlogged.run('EXEC')).toMatch(/^\*40\r\n/);
    expectUnlocked();
  });

  it('counts the results that are made of other keys, of which the arguments say nothing either', () => {
    harness = createHarness({ shards: 1, shardBytes: 2 ** 21 });
    const [shard] = harness.shards;
    startJournaling(shard);
    const members = Array.from({ length: 100 }, (_, index) => `${index}`.padEnd(5000, 'x'));
    harness.run('SADD', 's', ...members);
    harness.run('ZADD', 'z', ...members.slice(0, 60).flatMap((member) => ['1', member]));
    harness.run('SET', 't', 'x'.repeat(300_000));
    take(shard);
    const stores = [
      ['SUNIONSTORE', 'd', 's', 'none'],
      ['SINTERSTORE', 'd', 's', 's'],
      ['SDIFFSTORE', 'd', 's', 'none'],
      ['ZUNIONSTORE', 'd', '1', 'z'],
      ['ZRANGESTORE', 'd', 'z', '0', '-1'],
      ['SORT', 's', 'ALPHA', 'STORE', 'd'],
      ['BITOP', 'NOT', 'd', 't'],
    ];
    for (const store of stores) {
      const many = Array.from({ length: 40 }, () => store);
      expect(transact(...many), store[0]).toContain('its changes do not fit into the log at once');
      expect(transact(...many.slice(0, 3)), store[0]).toMatch(/^\*3\r\n:/);
      expect(isJournalBroken(shard)).toBe(false);
      take(shard);
    }
    // Without a destination it changes nothing.
    expect(transact(...Array.from({ length: 40 }, () => ['SORT', 's', 'ALPHA', 'LIMIT', '0', '0']))).toMatch(
      /^\*40/,
    );
  });

  it('counts the deadlines of fields, of which the arguments have one for all', () => {
    harness = createHarness({ shards: 1, shardBytes: 2 ** 18 });
    const [shard] = harness.shards;
    startJournaling(shard);
    const room = roomForRecords(shard);
    // As arguments they fit, with a deadline each they do not.
    const fields = Array.from({ length: Math.floor(room / 12 / 50) }, (_, index) => `${100 + (index % 9)}`);
    harness.run('HSET', 'h', ...fields.slice(0, 9).flatMap((field) => [field, '']), 'stays', '');
    take(shard);
    const before = lsnsOf(harness);
    const expire = ['HPEXPIRE', 'h', '100', 'FIELDS', `${fields.length}`, ...fields];
    const expiring = Array.from({ length: 50 }, () => expire);
    expect(transact(...expiring)).toBe(`${EXECABORT} its changes do not fit into the log at once\r\n`);
    expect([isJournalBroken(shard), lsnsOf(harness)]).toEqual([false, before]);
    expect(transact(...expiring.slice(0, 20))).toMatch(/^\*20/);
    expect(isJournalBroken(shard)).toBe(false);
    expectUnlocked();
  });

  it('is not overrun by many commands without keys, each of which has a record in all shards', () => {
    harness = createHarness({ shards: 1, shardBytes: 2 ** 18 });
    const [shard] = harness.shards;
    startJournaling(shard);
    const setsThatFit = Math.floor((roomForRecords(shard) - 2 ** 17) / 50_100);
    const sets = Array.from({ length: setsThatFit }, () => ['SET', 'k', 'x'.repeat(50_000)]);
    const swaps = Array.from({ length: 12_000 }, () => ['SWAPDB', '0', '1']);
    const before = lsnsOf(harness);
    expect(transact(...sets, ...swaps)).toBe(`${EXECABORT} its changes do not fit into the log at once\r\n`);
    expect([isJournalBroken(shard), lsnsOf(harness)]).toEqual([false, before]);
    expect(transact(...sets.slice(1), ...swaps.slice(0, 10))).toMatch(/^\*\d+\r\n\+OK/);
    expectUnlocked();
  });

  it('has room made by writing first what is pending, where both together do not fit', () => {
    harness = createHarness({ shards: 1, shardBytes: 2 ** 20 });
    const [shard] = harness.shards;
    startJournaling(shard);
    let drains = 0;
    harness.engine.drainLog = () => {
      drains += 1;
      take(shard);
    };
    const value = 'x'.repeat(300_000);
    const sets = Array.from({ length: 25 }, () => ['SET', 'k', value]);
    for (const set of sets.slice(0, 3)) harness.run(...set);
    expect(transact(...sets)).toMatch(/^\*25\r\n/);
    expect(transact(...sets)).toMatch(/^\*25\r\n/);
    expect(drains).toBeGreaterThan(0);
  });
});

describe('memory', () => {
  it('that is full and may not be evicted refuses a command that adds as it is queued, and the transaction with it', () => {
    harness = createHarness({ shards: 1, shardBytes: 2 ** 20, flags: ['--maxmemory-policy', 'noeviction'] });
    for (let i = 0; !harness.run('SET', `k${i}`, 'x'.repeat(10_000)).startsWith('-OOM'); i += 1);
    harness.run('MULTI');
    expect(harness.run('SET', 'more', 'x'.repeat(10_000))).toMatch(/^-OOM/);
    expect(harness.run('GET', 'k0')).toBe('+QUEUED\r\n');
    expect(harness.run('EXEC')).toBe('-EXECABORT Transaction discarded because of previous errors.\r\n');
    expect(transact(['GET', 'nosuch'], ['DEL', 'k1'])).toBe('*2\r\n$-1\r\n:1\r\n');
    expectUnlocked();
  });

  it('that all commands together do not find refuses EXEC before the first of them', () => {
    harness = createHarness({ shards: 1, shardBytes: 2 ** 20, flags: ['--maxmemory-policy', 'noeviction'] });
    const sets = [1, 2, 3, 4, 5].map((i) => ['SET', `k${i}`, 'x'.repeat(250_000)]);
    expect(transact(...sets)).toBe(
      `${EXECABORT} OOM command not allowed when used memory > 'maxmemory'.\r\n`,
    );
    expect(harness.run('DBSIZE')).toBe(':0\r\n');
    expectUnlocked();
  });

  it('is found by evicting, however much the transaction writes', () => {
    harness = createHarness({ shards: 1, shardBytes: 2 ** 20, flags: ['--maxmemory-policy', 'allkeys-lru'] });
    startJournaling(harness.shards[0]);
    for (let i = 0; i < 200; i += 1) harness.run('SET', `k${i}`, 'x'.repeat(10_000));
    const sets = Array.from({ length: 12 }, (_, i) => ['SET', `big${i}`, 'x'.repeat(250_000)]);
    expect(transact(...sets)).toBe(`*12\r\n${'+OK\r\n'.repeat(12)}`);
    expect(harness.shards[0].numbers[EVICTED_KEYS]).toBeGreaterThan(100);
    expectUnlocked();
  });

  it('for queued commands is bounded as for unexecuted ones: who is over it is closed', () => {
    harness = createHarness({ flags: ['--client-query-buffer-limit', '1mb'] });
    harness.run('MULTI');
    for (let i = 0; i < 100 && !harness.session.closing; i += 1) harness.run('SET', 'k', 'x'.repeat(20_000));
    expect(harness.session.closing).toBe(true);
    expect(harness.engine.counters[LIMIT_CUTS]).toBe(1);
    expect(harness.log.join()).toContain('over client-query-buffer-limit');
  });

  it('for replies is bounded as the output of a client is: who is over it is closed, and all is executed', () => {
    harness = createHarness({ flags: ['--client-output-buffer-limit', 'normal 1mb 0 0'] });
    harness.run('SET', 'long', 'x'.repeat(300_000));
    const gets = Array.from({ length: 12 }, () => ['GET', 'long']);
    expect(transact(...gets.slice(9))).toMatch(/^\*3\r\n/);
    expect(harness.session.closing).toBe(false);
    expect(transact(...gets, ['SET', 'done', '1'])).toBe('');
    expect(harness.session.closing).toBe(true);
    expect(harness.engine.counters[LIMIT_CUTS]).toBe(1);
    expect(harness.run('GET', 'done')).toBe('$1\r\n1\r\n');
    expectUnlocked();
  });

  it('for watched keys is bounded', () => {
    const key = 'x'.repeat(WATCHED_BYTES_MAX / 2 - WATCHED_KEY_OVERHEAD_BYTES);
    expect(harness.run('WATCH', key, key, `${key.slice(1)}y`)).toBe('+OK\r\n');
    expect(harness.run('WATCH', 'one', 'two')).toMatch(/^-ERR the watched keys of one client take at most/);
  });
});

describe('watching', () => {
  it('ends with the transaction, with RESET, and with the connection', () => {
    const watched = () => harness.shards.reduce((sum, { control }) => sum + control[WATCHED_ABSENT], 0);
    const ends: (() => void)[] = [
      () => transact(['PING']),
      () => transact(),
      () => harness.run('UNWATCH'),
      () => harness.run('RESET'),
      () => harness.run('EXEC', 'too', 'many'),
      () => endTransaction(harness.session),
      () => {
        harness.run('MULTI');
        harness.run('DISCARD');
      },
      () => {
        harness.run('MULTI');
        harness.run('NOSUCH');
        harness.run('EXEC');
      },
    ];
    for (const end of ends) {
      harness.run('WATCH', 'a', 'b', 'c', 'a');
      expect(watched()).toBe(3);
      end();
      expect(watched()).toBe(0);
      expect(harness.session.watched).toBeUndefined();
    }
    expectUnlocked();
  });

  it('a key whose deadline passes is touched, one that had expired before is not', () => {
    harness.run('SET', 'k', 'v', 'PX', '10');
    harness.run('WATCH', 'k');
    harness.nowMs += 11;
    expect(transact(['PING'])).toBe('*-1\r\n');
    harness.run('SET', 'k', 'v', 'PX', '10');
    harness.nowMs += 11;
    harness.run('WATCH', 'k');
    expect(transact(['PING'])).toBe('*1\r\n+PONG\r\n');
  });

  it('by others is shown by CLIENT LIST, from within a transaction where that holds the lock', async () => {
    installClientTopics(harness.engine);
    const keys = keyOfEach(harness);
    for (const key of keys) {
      const other = harness.connect();
      harness.runAs(other, 'WATCH', key);
      harness.run('SET', key, 'y');
      const late = async (...command: string[]): Promise<string> => {
        expect(harness.run(...command)).toBe('');
        while (harness.deferredReplies.length === 0) await new Promise(setImmediate);
        return harness.deferredReplies.pop() ?? '';
      };
      expect(await late('CLIENT', 'LIST', 'ID', `${other.id}`)).toContain(' flags=d ');
      harness.run('MULTI');
      harness.run('GET', keys[0]);
      harness.run('CLIENT', 'LIST', 'ID', `${other.id}`);
      expect(await late('EXEC')).toMatch(key === keys[0] ? / flags=d / : / flags=[dN] /);
    }
    expectUnlocked();
  });

  it('is without effect on what is used: an EXEC that is turned down is no use of a key', () => {
    harness.run('SET', 'k', 'v');
    harness.nowMs += 5_000;
    harness.run('WATCH', 'k');
    harness.run('CLIENT', 'NO-TOUCH', 'ON');
    expect(transact(['GET', 'k'], ['OBJECT', 'IDLETIME', 'k'])).toBe('*2\r\n$1\r\nv\r\n:5\r\n');
  });
});

describe('a bug in the middle of a transaction', () => {
  it('ends it: no lock stays, and what was done is not done again', () => {
    const { monitoring } = harness.engine;
    let looks = 0;
    Object.defineProperty(monitoring, 'isWatched', {
      configurable: true,
      get: () => {
        looks += 1;
        if (looks === 2) throw new Error('a bug');
        return false;
      },
    });
    expect(transact(['INCR', 'a'], ['INCR', 'b'], ['INCR', 'c'])).toMatch(/^-ERR internal error/);
    Object.defineProperty(monitoring, 'isWatched', { value: false, writable: true });
    expectUnlocked();
    expect(harness.run('EXEC')).toBe('-ERR EXEC without MULTI\r\n');
    expect(harness.run('MGET', 'a', 'b', 'c')).toBe('*3\r\n$1\r\n1\r\n$-1\r\n$-1\r\n');
  });
});

describe('a gate that is closed', () => {
  it.each([
    [GATE_LOG, 'MISCONF Errors writing to the AOF file: the log is being begun anew'],
    [GATE_LOADING, 'LOADING Redis is loading the dataset in memory'],
  ])('refuses EXEC for what was queued before (%i)', (reason, text) => {
    harness.run('MULTI');
    harness.run('SET', 'k', 'v');
    const { gate } = harness.engine;
    closeGate(gate, reason);
    expect(harness.run('EXEC')).toBe(`${EXECABORT} ${text}\r\n`);
    expectUnlocked();
    harness.run('MULTI');
    expect(harness.run('SET', 'k', 'v')).toBe(`-${text}\r\n`);
    openGate(gate, reason);
    expect(harness.run('EXEC')).toBe('-EXECABORT Transaction discarded because of previous errors.\r\n');
  });
});

describe('replies that come later', () => {
  beforeEach(() => {
    harness = createHarness({ flags: ['--enable-debug-command', 'yes'] });
  });

  /** The one deferred reply. */
  async function late(): Promise<string> {
    await eventually(() => harness.deferredReplies.length > 0);
    expect(harness.deferredReplies).toHaveLength(1);
    return harness.deferredReplies.pop() ?? '';
  }

  it('stand in their places, and all changes are made at once', async () => {
    expect(
      transact(
        ['SET', 'k', '1'],
        ['DEBUG', 'SLEEP', '0'],
        ['INCR', 'k'],
        ['DEBUG', 'SLEEP', '0.001'],
        ['GET', 'k'],
      ),
    ).toBe('');
    expect(harness.run('GET', 'k')).toBe('$1\r\n2\r\n');
    expectUnlocked();
    expect(await late()).toBe('*5\r\n+OK\r\n+OK\r\n:2\r\n+OK\r\n$1\r\n2\r\n');
  });

  it('of commands about the server come in order: each sees what the one before has done', async () => {
    installServerTopics(harness.engine);
    transact(
      ['SET', 'k', '1'],
      ['SLOWLOG', 'RESET'],
      ['SLOWLOG', 'LEN'],
      ['LASTSAVE'],
      ['GET', 'k'],
      ['DEBUG', 'OBJECT', 'k'],
      ['INFO', 'nosuch'],
    );
    expect(await late()).toMatch(
      /^\*7\r\n\+OK\r\n\+OK\r\n:0\r\n:\d+\r\n\$1\r\n1\r\n\+Value at:.*\r\n\$0\r\n\r\n$/,
    );
  });

  it('of DEBUG are right though it locks for itself, and so are failures', async () => {
    transact(['SET', 'k', '1'], ['DEBUG', 'OBJECT', 'k'], ['DEBUG', 'THROW'], ['GET', 'k']);
    expect(await late()).toMatch(
      /^\*4\r\n\+OK\r\n\+Value at:.*\r\n-ERR internal error in 'debug'.*\r\n\$1\r\n1\r\n$/,
    );
    expectUnlocked();
  });

  it('come behind the locks, also where this thread asks itself for what takes them', async () => {
    installServerTopics(harness.engine);
    transact(['SET', 'k', '1'], ['DBSIZE'], ['CONFIG', 'RESETSTAT'], ['GET', 'k']);
    expect(await late()).toBe('*4\r\n+OK\r\n:1\r\n+OK\r\n$1\r\n1\r\n');
    expectUnlocked();
  });

  it('are whole where the client is to be closed, and what was put off is done all the same', async () => {
    transact(['ACL', 'SETUSER', 'ann', 'on'], ['ACL', 'SETUSER', 'bob', 'on'], ['SET', 'k', '1']);
    harness.session.closing = true;
    expect(await late()).toBe('*3\r\n+OK\r\n+OK\r\n+OK\r\n');
    expect([...harness.engine.access.users.keys()]).toEqual(['default', 'ann', 'bob']);
    expect(harness.run('GET', 'k')).toBe('$1\r\n1\r\n');
  });
});

describe('counting and timing', () => {
  it('a transaction takes as long as its commands, each of which takes its own time', () => {
    let readings = 0;
    harness = createHarness({
      monotonicMs: () => {
        readings += 1;
        return readings;
      },
    });
    transact(['KEYS', '*'], ['KEYS', 'a*'], ['GET', 'a']);
    const msOf = (name: string) => harness.engine.counters[COMMAND_NS + (findByName(name)?.id ?? 0)] / 1e6;
    expect(msOf('keys')).toBeGreaterThan(0);
    expect(msOf('get')).toBeGreaterThan(0);
    expect(msOf('exec')).toBeGreaterThan(msOf('keys') + msOf('get'));
  });

  it('the slow log has the commands, not EXEC', () => {
    harness = createHarness({ flags: ['--slowlog-log-slower-than', '0'] });
    applyThresholds(harness.engine);
    transact(['GET', 'a'], ['SET', 'a', '1']);
    const shown = inspect(harness.engine.slowLog, { depth: 5 }).replaceAll(/[\s']/g, '');
    expect(shown).toContain('[GET,a]');
    expect(shown).toContain('[SET,a,1]');
    expect(shown).not.toContain('EXEC');
  });
});
