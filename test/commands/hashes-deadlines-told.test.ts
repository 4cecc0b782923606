/** What others are told of fields that expire: events of the keyspace, failed transactions; and what is told without room. */
import { beforeEach, describe, expect, it } from 'vitest';
import { tellKeyEvents } from '../../src/commands/told-keys.ts';
import { expireDue } from '../../src/shard/housekeeping.ts';
import { createHarness, type Harness } from '../support/harness.ts';

let harness: Harness;

/** One command of words between blanks; the reply without line ends. */
function say(text: string): string {
  return harness
    .run(...text.split(' '))
    .replaceAll('\r\n', ' ')
    .trim();
}

function fill(): void {
  say('HSET h a 1 b 2 c 3');
  for (let field = 0; field < 10; field += 1) say(`HSET h more${field} of-them${field}`);
}

describe('what is done to fields that expire', () => {
  beforeEach(() => {
    harness = createHarness({ flags: ['--notify-keyspace-events', 'EAn'] });
    fill();
    harness.runAs(harness.connect(), 'PSUBSCRIBE', '__keyevent@*');
    return () => harness.expectWhole();
  });

  /** The events that somebody is told while `act` runs. */
  function eventsOf(act: () => void): string {
    harness.pushed.length = 0;
    act();
    return harness.pushed.map((message) => /__keyevent@0__:(\w+)/.exec(message)?.[1] ?? message).join(' ');
  }

  it.each([
    ['HEXPIRE h 5 FIELDS 2 a none', 'hexpire'],
    ['HEXPIRE h 5 XX FIELDS 1 a', ''],
    ['HEXPIRE h 0 FIELDS 2 a b', 'hdel'],
    ['HEXPIRE one 0 FIELDS 1 a', 'hdel del'],
    ['HPERSIST h FIELDS 1 a', ''],
    ['HPERSIST one FIELDS 1 a', 'hpersist'],
    ['HGETEX h FIELDS 1 a', ''],
    ['HGETEX h EX 5 FIELDS 2 a none', 'hexpire'],
    ['HGETEX h EX 0 FIELDS 1 a', 'hdel'],
    ['HGETEX h PERSIST FIELDS 1 a', ''],
    ['HGETEX one PERSIST FIELDS 1 a', 'hpersist'],
    ['HGETEX one EX 0 FIELDS 1 a', 'hdel del'],
    ['HSETEX h FIELDS 1 a 1', 'hset'],
    ['HSETEX h EX 5 FIELDS 1 a 1', 'hset hexpire'],
    ['HSETEX h KEEPTTL FIELDS 1 a 1', 'hset'],
    ['HSETEX h FNX FIELDS 1 a 1', ''],
    ['HSETEX h EX 0 FIELDS 1 a 1', 'hset hdel'],
    ['HSETEX h EX 0 FIELDS 1 none 1', 'hset hdel'],
    ['HSETEX one EX 0 FIELDS 1 a 1', 'hset hdel del'],
    ['HSETEX fresh EX 5 FIELDS 1 a 1', 'new hset hexpire'],
    ['HGETDEL h FIELDS 2 a none', 'hdel'],
    ['HGETDEL h FIELDS 1 none', ''],
    ['HGETDEL one FIELDS 1 a', 'hdel del'],
  ])('is told: %s', (command, events) => {
    say('HSETEX one EX 100 FIELDS 1 a 1');
    expect(eventsOf(() => say(command))).toBe(events);
  });

  it.each([
    ['HSET h a 1', 'hexpired hset'],
    ['HSETNX h a 1', 'hexpired hset'],
    ['HINCRBY h a 1', 'hexpired hincrby'],
    ['HDEL h a', 'hexpired'],
    ['HGETDEL h FIELDS 1 a', 'hexpired'],
    ['HGETDEL h FIELDS 2 a b', 'hexpired hdel'],
    ['HPERSIST h FIELDS 1 a', 'hexpired'],
    ['HGET h a', ''],
    ['HDEL one a', 'hexpired del'],
    ['HSET one a 1', 'hexpired del new hset'],
    ['HSETEX one FXX FIELDS 1 a 1', 'hexpired del'],
  ])('is told with what has expired: %s', (command, events) => {
    say('HSETEX one PX 5 FIELDS 1 a 1');
    say('HPEXPIRE h 5 FIELDS 1 a');
    harness.nowMs += 6;
    expect(eventsOf(() => say(command))).toBe(events);
  });

  it('is told when fields go by themselves', () => {
    say('HPEXPIRE h 5 FIELDS 1 a');
    harness.nowMs += 20;
    const expire = () => {
      for (const shard of harness.shards) while (expireDue(shard, harness.nowMs, 100));
      tellKeyEvents(harness.engine, undefined, 0);
    };
    expect(eventsOf(expire)).toBe('hexpired');
    say('HSETEX one PX 5 FIELDS 1 a 1');
    harness.nowMs += 20;
    expect(eventsOf(expire)).toBe('hexpired del');
  });

  it('fails those who watch the key, and so do fields that have gone', () => {
    const attempt = (act: () => void): string => {
      const other = harness.connect();
      harness.runAs(other, 'WATCH', 'h');
      act();
      harness.runAs(other, 'MULTI');
      harness.runAs(other, 'PING');
      return harness.runAs(other, 'EXEC');
    };
    expect(attempt(() => say('HTTL h FIELDS 1 a'))).toContain('PONG');
    expect(attempt(() => say('HEXPIRE h 5 XX FIELDS 1 a'))).toContain('PONG');
    expect(attempt(() => say('HPEXPIRE h 5 FIELDS 1 a'))).toBe('*-1\r\n');
    const pass = () => {
      harness.nowMs += 20;
      for (const shard of harness.shards) while (expireDue(shard, harness.nowMs, 100));
    };
    expect(attempt(pass)).toBe('*-1\r\n');
    expect(attempt(pass)).toContain('PONG');
  });

  it('finds no room without a policy, and then nothing has changed', () => {
    harness = createHarness({
      shards: 1,
      shardBytes: 40 * 1024,
      flags: ['--maxmemory-policy', 'noeviction'],
    });
    fill();
    for (let index = 0; index < 2000; index += 1) say(`SET string${index} ${'v'.repeat(index % 50)}`);
    const before = say('HGETALL h');
    let refused = 0;
    for (let field = 0; field < 10; field += 1) {
      for (const command of [
        `HGETEX h EX 100 FIELDS 1 more${field}`,
        `HEXPIRE h 100 FIELDS 1 more${field}`,
      ]) {
        const reply = say(command);
        if (reply.startsWith('-OOM')) refused += 1;
        else expect(reply).toMatch(/^\*1 (:1|\$8 of-them\d)$/);
      }
    }
    expect(refused).toBeGreaterThan(0);
    expect(say('HGETALL h')).toBe(before);
    harness.expectWhole();
  });
});
