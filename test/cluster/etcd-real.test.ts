/** The requests that the cluster makes, against a real etcd. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { EtcdError } from '../../src/base/errors.ts';
import { commit, getPrefix, grantLease, keepAlive, revokeLease } from '../../src/cluster/etcd.ts';
import { createEtcd, type Etcd } from '../../src/cluster/etcd-gateway.ts';
import { type EtcdEvent, watchPrefix } from '../../src/cluster/etcd-watch.ts';
import { describeWithEtcd, type EtcdServers, startEtcd } from '../support/etcd.ts';
import { until } from '../support/until.ts';

describeWithEtcd('a real etcd', () => {
  let servers: EtcdServers;
  let etcd: Etcd;

  beforeAll(async () => {
    servers = await startEtcd();
    etcd = createEtcd({ urls: servers.urls });
  });

  afterAll(() => servers.remove());

  const post = (path: string, body: object) =>
    fetch(`${servers.urls[0]}/v3${path}`, { method: 'POST', body: JSON.stringify(body) });

  const wait = (isTrue: () => boolean, what: string) => until(isTrue, { what: () => what, msMax: 10_000 });

  it('carries out transactions with their conditions, and finds what they put', async () => {
    const { id, ttlSeconds } = await grantLease(etcd, 5);
    expect(ttlSeconds).toBe(5);
    const put = { put: '/t/x', value: 'wörter', lease: id };
    const first = await commit(etcd, {
      compare: [{ key: '/t/x', createRevision: 0 }],
      success: [put, { getPrefix: '/t/' }],
    });
    expect(first).toMatchObject({ succeeded: true, found: [[{ key: '/t/x', value: 'wörter', lease: id }]] });
    expect(first.found[0][0].modRevision).toBe(first.revision);
    const again = await commit(etcd, {
      compare: [{ key: '/t/x', createRevision: 0 }],
      success: [put],
      failure: [{ get: '/t/x' }, { get: '/t/nothing' }],
    });
    expect(again).toMatchObject({ succeeded: false, found: [[{ value: 'wörter' }], []] });
    const both = [
      { key: '/t/x', modRevision: first.revision },
      { key: '/t/x', value: 'wörter' },
    ];
    expect(await commit(etcd, { compare: both, success: [{ remove: '/t/x' }] })).toMatchObject({
      succeeded: true,
      found: [],
    });
    expect((await getPrefix(etcd, '/t/')).values).toEqual([]);
  });

  it('keeps a lease, and takes its keys when it is given back', async () => {
    const { id } = await grantLease(etcd, 5);
    await commit(etcd, { compare: [], success: [{ put: '/l/x', value: '', lease: id }] });
    expect(await keepAlive(etcd, id, 1_000)).toBe(5);
    await revokeLease(etcd, id);
    expect(await keepAlive(etcd, id, 1_000)).toBe(0);
    expect((await getPrefix(etcd, '/l/')).values).toEqual([]);
  });

  it('refuses a put under a lease that is gone', async () => {
    const failure = (await commit(etcd, {
      compare: [],
      success: [{ put: '/l/x', value: '', lease: '77' }],
    }).catch((error: EtcdError) => error)) as EtcdError;
    expect(failure).toMatchObject({ outcome: 'refused', code: 5 });
    expect(failure.message).toContain('requested lease not found');
  });

  it('tells a watch what has happened and what happens, removals too, and begins anew behind a compaction', async () => {
    const { revision } = await commit(etcd, { compare: [], success: [{ put: '/w/x', value: '1' }] });
    const events: EtcdEvent[] = [];
    const watcher = {
      onEvents: (news: readonly EtcdEvent[]) => void events.push(...news),
      onLost: () => undefined,
    };
    const stop = watchPrefix(etcd, '/w/', revision, watcher);
    await wait(() => events.length === 1, 'the past is not told');
    await commit(etcd, { compare: [], success: [{ put: '/w/y', value: '2' }, { remove: '/w/x' }] });
    await wait(() => events.length === 3, 'the present is not told');
    stop();
    expect(events.map(({ key, value, isRemoved }) => [key, value, isRemoved])).toEqual([
      ['/w/x', '1', false],
      ['/w/y', '2', false],
      ['/w/x', '', true],
    ]);
    expect(events[2].modRevision).toBe(revision + 1);

    await post('/kv/compaction', { revision: `${revision + 1}` });
    let lost = 0;
    const stopLate = watchPrefix(etcd, '/w/', revision, {
      ...watcher,
      onLost: () => {
        lost += 1;
      },
    });
    await wait(() => lost === 1, 'the watch is not lost');
    stopLate();
  });

  it('asks for a login where it has users, and tells a wrong one', async () => {
    const root = { name: 'root', password: 's3cret' };
    await post('/auth/user/add', root);
    await post('/auth/role/add', { name: 'root' });
    await post('/auth/user/grant', { user: 'root', role: 'root' });
    await post('/auth/enable', {});
    try {
      const url = (user: string) => servers.urls[0].replace('http://', `http://${user}@`);
      const login = createEtcd({ urls: [url('root:s3cret')] });
      expect((await getPrefix(login, '/nothing/')).values).toEqual([]);
      const stranger = createEtcd({ urls: [url('root:wrong')] });
      await expect(getPrefix(stranger, '/nothing/')).rejects.toThrow("refuses the login of 'root'");
      await expect(getPrefix(etcd, '/nothing/')).rejects.toMatchObject({ outcome: 'refused' });
      // A change of users makes every token too old.
      const { token } = (await (await post('/auth/authenticate', root)).json()) as { token: string };
      await fetch(`${servers.urls[0]}/v3/auth/role/add`, {
        method: 'POST',
        body: JSON.stringify({ name: 'another' }),
        headers: { Authorization: token },
      });
      const heard: string[] = [];
      const stop = watchPrefix(login, '/auth/', 1, {
        onEvents: (events) => heard.push(...events.map(({ key }) => key)),
        onLost: () => heard.push('lost'),
      });
      await wait(() => heard.includes('lost'), 'a watch with an old token does not log in again');
      stop();
      expect((await getPrefix(login, '/nothing/')).values).toEqual([]);
    } finally {
      const { token } = (await (await post('/auth/authenticate', root)).json()) as { token: string };
      const headers = { Authorization: token };
      await fetch(`${servers.urls[0]}/v3/auth/disable`, { method: 'POST', body: '{}', headers });
    }
  });
});
