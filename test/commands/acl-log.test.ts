/** Tests of the ACL log: what is grouped, what is dropped, and the logs of several threads as one. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { type AclLogEntry, noteDenied, readAclLog, resetAclLog } from '../../src/commands/acl-log.ts';
import { ACL_LOG_TEXT_BYTES_MAX } from '../../src/config/limits.ts';
import { createHarness, type Harness } from '../support/harness.ts';

const MINUTE_MS = 60_000;
const MIB = 2 ** 20;

function collector(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}

function deny(harness: Harness, object: string, user = 'u', reason: AclLogEntry['reason'] = 'key'): void {
  noteDenied(harness.engine, harness.session, { reason, context: 'toplevel', object, user });
}

async function told(harness: Harness): Promise<string[]> {
  const entries = await readAclLog(harness.engine);
  return entries.map(({ count, object, user, reason }) => `${count} ${reason} ${object} ${user}`);
}

describe('the ACL log', () => {
  it('groups what is alike and at most a minute apart, and has the latest first', async () => {
    const harness = createHarness();
    deny(harness, 'a');
    deny(harness, 'b');
    harness.nowMs += MINUTE_MS;
    deny(harness, 'a');
    expect(await told(harness)).toEqual(['2 key a u', '1 key b u']);
    harness.nowMs += MINUTE_MS + 1;
    deny(harness, 'a');
    deny(harness, 'a', 'v');
    deny(harness, 'a', 'u', 'channel');
    expect(await told(harness)).toEqual([
      '1 channel a u',
      '1 key a v',
      '1 key a u',
      '2 key a u',
      '1 key b u',
    ]);
  });

  it('looks for a like one among the latest ten', async () => {
    const harness = createHarness();
    for (let index = 0; index < 11; index += 1) deny(harness, `${index}`);
    deny(harness, '1');
    deny(harness, '0');
    const all = await told(harness);
    expect(all.slice(0, 2)).toEqual(['1 key 0 u', '2 key 1 u']);
    expect(all).toHaveLength(12);
  });

  it('keeps acllog-max-len entries, and of long names the beginning', async () => {
    const harness = createHarness({ flags: ['--acllog-max-len', '2'] });
    for (const object of ['a', 'b', 'c']) deny(harness, object);
    expect(await told(harness)).toEqual(['1 key c u', '1 key b u']);
    deny(harness, 'x'.repeat(2 * ACL_LOG_TEXT_BYTES_MAX));
    expect((await readAclLog(harness.engine))[0].object).toHaveLength(ACL_LOG_TEXT_BYTES_MAX);
    const none = createHarness({ flags: ['--acllog-max-len', '0'] });
    deny(none, 'a');
    expect(await told(none)).toEqual([]);
  });

  it('keeps nothing of what is longer alive', () => {
    const harness = createHarness();
    const keys = 64;
    const keyBytes = MIB / 2;
    const collect = collector();
    collect();
    const before = process.memoryUsage().heapUsed;
    for (let index = 0; index < keys; index += 1)
      deny(harness, Buffer.alloc(keyBytes, `${index},`).toString('latin1'));
    collect();
    expect(harness.engine.access.log).toHaveLength(keys);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan((keys * keyBytes) / 8);
  });

  it('is one of all threads, by time', async () => {
    const harness = createHarness();
    deny(harness, 'a');
    harness.nowMs += 10;
    deny(harness, 'b');
    const other: AclLogEntry[] = [
      {
        count: 5,
        reason: 'key',
        context: 'toplevel',
        object: 'c',
        user: 'u',
        atMs: harness.nowMs - 5,
        client: 'id=9',
      },
      {
        count: 7,
        reason: 'key',
        context: 'toplevel',
        object: 'a',
        user: 'u',
        atMs: harness.nowMs - 7,
        client: 'id=8',
      },
    ];
    const { access, bus } = harness.engine;
    Object.assign(bus, { requestAll: async () => [access.log, other] });
    const entries = await readAclLog(harness.engine);
    expect(entries.map(({ count, object, client }) => [count, object, client.slice(0, 4)])).toEqual([
      [1, 'b', 'id=1'],
      [5, 'c', 'id=9'],
      [8, 'a', 'id=8'],
    ]);
    // Telling changes nothing.
    expect(access.log.map(({ count }) => count)).toEqual([1, 1]);
  });

  it('is emptied on request', async () => {
    const harness = createHarness();
    deny(harness, 'a');
    await resetAclLog(harness.engine);
    expect(await told(harness)).toEqual([]);
  });
});
