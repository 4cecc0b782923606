/** Requests to etcd, against one that fails in every way. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { EtcdError } from '../../src/base/errors.ts';
import { pauseFor } from '../../src/base/pause.ts';
import {
  afterPrefix,
  commit,
  getPrefix,
  grantLease,
  keepAlive,
  revokeLease,
} from '../../src/cluster/etcd.ts';
import { createEtcd, type Etcd, splitUrls } from '../../src/cluster/etcd-gateway.ts';
import { type FakeEtcd, type Fault, startFakeEtcd } from '../support/fake-etcd.ts';
import { freePort } from '../support/redis-server.ts';

const PATIENCE = { tryMsMax: 2_000, pauseMsMin: 1, breakerResetMs: 20 };
/** For an etcd that does not answer. */
const LITTLE_PATIENCE = { ...PATIENCE, tryMsMax: 150 };
const FAULTS: readonly Fault[] = ['hang', 'break', 'trouble', 'half', 'nonsense'];

let fake: FakeEtcd;
let etcd: Etcd;

beforeEach(async () => {
  fake = await startFakeEtcd();
  etcd = createEtcd({ urls: [fake.url], patience: PATIENCE });
});

afterEach(() => fake.close());

const failureOf = (promise: Promise<unknown>): Promise<EtcdError> =>
  promise.then(
    () => {
      throw new Error('it should have failed');
    },
    (error: EtcdError) => error,
  );

describe('keys', () => {
  it('are read by prefix, with their revisions and leases, and nothing beside it', async () => {
    fake.put('/a/x', 'one', '12345678901234567');
    fake.put('/a/y', 'zwölf');
    fake.put('/a0', 'behind');
    fake.put('/Z', 'before');
    fake.put('/a/x', 'two', '12345678901234567');
    expect(await getPrefix(etcd, '/a/')).toEqual({
      revision: 6,
      values: [
        { key: '/a/x', value: 'two', createRevision: 2, modRevision: 6, lease: '12345678901234567' },
        { key: '/a/y', value: 'zwölf', createRevision: 3, modRevision: 3, lease: '' },
      ],
    });
  });

  it('of an empty prefix are none, at the present revision', async () => {
    expect(await getPrefix(etcd, '/a/')).toEqual({ revision: 1, values: [] });
  });

  it('end where the next prefix begins', () => {
    expect(afterPrefix('/distcache/a/')).toBe('/distcache/a0');
  });
});

describe('a transaction', () => {
  it('puts a key that is not there, and finds what it has put', async () => {
    const { id } = await grantLease(etcd, 3);
    const done = await commit(etcd, {
      compare: [{ key: '/a/x', createRevision: 0 }],
      success: [{ put: '/a/x', value: 'v', lease: id }, { getPrefix: '/a/' }],
    });
    expect(done).toEqual({
      succeeded: true,
      revision: 2,
      found: [[{ key: '/a/x', value: 'v', createRevision: 2, modRevision: 2, lease: id }]],
    });
  });

  it('does the other thing where a condition does not hold', async () => {
    fake.put('/a/x', 'v');
    const done = await commit(etcd, {
      compare: [
        { key: '/a/x', value: 'v' },
        { key: '/a/x', createRevision: 0 },
      ],
      success: [{ remove: '/a/x' }],
      failure: [{ get: '/a/x' }, { get: '/a/y' }],
    });
    expect(done.succeeded).toBe(false);
    expect(done.found.map((values) => values.map(({ value }) => value))).toEqual([['v'], []]);
  });

  it('compares revisions and values, and removes', async () => {
    fake.put('/a/x', 'v');
    const compare = [
      { key: '/a/x', modRevision: 2 },
      { key: '/a/x', value: 'v' },
    ];
    const done = await commit(etcd, { compare, success: [{ remove: '/a/x' }] });
    expect(done).toEqual({ succeeded: true, revision: 3, found: [] });
    expect(fake.get('/a/x')).toBeUndefined();
  });

  it('is tried once only where it may have been carried out', async () => {
    fake.faults.push(['/kv/txn', 'break after']);
    const failure = await failureOf(commit(etcd, { compare: [], success: [{ put: '/a/x', value: 'v' }] }));
    expect(failure.outcome).toBe('unknown');
    expect(fake.paths).toEqual(['/kv/txn']);
    expect(fake.get('/a/x')).toBe('v');
  });

  it('under a lease that is gone is refused, with what etcd says', async () => {
    const failure = await failureOf(
      commit(etcd, { compare: [], success: [{ put: '/a/x', value: 'v', lease: '77' }] }),
    );
    expect(failure).toMatchObject({ outcome: 'refused', code: 5 });
    expect(failure.message).toBe(`${fake.url}: etcdserver: requested lease not found`);
  });
});

describe('a lease', () => {
  it('is granted, kept, and given back with its keys', async () => {
    const sent: string[] = [];
    const lease = await grantLease(etcd, 3, () => sent.push('grant'));
    expect(lease.ttlSeconds).toBe(3);
    fake.put('/a/x', 'v', lease.id);
    expect(await keepAlive(etcd, lease.id, 2_000, () => sent.push('keep'))).toBe(3);
    await revokeLease(etcd, lease.id);
    expect(fake.get('/a/x')).toBeUndefined();
    expect(await keepAlive(etcd, lease.id, 2_000)).toBe(0);
    expect(sent).toEqual(['grant', 'keep']);
  });

  it('tells of each try right before it goes out', async () => {
    const { id } = await grantLease(etcd, 3);
    fake.faults.push(['/lease/keepalive', 'trouble'], ['/lease/keepalive', 'hang']);
    let sent = 0;
    expect(
      await keepAlive(etcd, id, 400, () => {
        sent += 1;
      }),
    ).toBe(3);
    expect(sent).toBe(3);
  });

  it('that is not there cannot be given back', async () => {
    expect(await failureOf(revokeLease(etcd, '9'))).toMatchObject({ outcome: 'refused', code: 5 });
  });
});

describe('an etcd that fails', () => {
  it.each(FAULTS)('once (%s) is asked again, where that does no harm', async (fault) => {
    fake.put('/a/x', 'v');
    fake.faults.push(['/kv/range', fault]);
    const hasty = createEtcd({ urls: [fake.url], patience: LITTLE_PATIENCE });
    expect((await getPrefix(hasty, '/a/')).values).toHaveLength(1);
  });

  it.each(FAULTS)('again and again (%s) is told of, without a password', async (fault) => {
    const secret = createEtcd({
      urls: [fake.url.replace('http://', 'http://root:s3cr%40t@')],
      patience: LITTLE_PATIENCE,
    });
    fake.outage = fault;
    const failure = await failureOf(getPrefix(secret, '/a/'));
    expect(failure.message).toContain(fake.url);
    expect(failure.message).not.toMatch(/root|s3cr/);
  });

  it('that is not there has not got the request', async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    const nobody = createEtcd({ urls: [url], patience: PATIENCE });
    const failure = await failureOf(commit(nobody, { compare: [], success: [] }));
    expect(failure.outcome).toBe('unsent');
    expect(failure.message).toBe(`${url} cannot be reached: ECONNREFUSED`);
  });

  it('gives way to the next endpoint, which is asked first from then on', async () => {
    const port = await freePort();
    const pair = createEtcd({ urls: [`http://127.0.0.1:${port},${fake.url}`], patience: PATIENCE });
    await getPrefix(pair, '/a/');
    expect(pair.at).toBe(1);
    await commit(pair, { compare: [], success: [] });
    expect(fake.paths).toEqual(['/kv/range', '/kv/txn']);
  });

  it('is left alone for a moment after some failures, and asked again behind it', async () => {
    const slow = createEtcd({
      urls: [fake.url],
      patience: { ...PATIENCE, breakerResetMs: 30_000 },
    });
    fake.outage = 'trouble';
    const failure = await failureOf(getPrefix(slow, '/a/'));
    expect(failure.message).toContain('leader changed');
    expect(fake.paths).toHaveLength(3);
    await failureOf(getPrefix(slow, '/a/'));
    expect(fake.paths).toHaveLength(3);

    fake.outage = undefined;
    expect(await failureOf(getPrefix(slow, '/a/'))).toMatchObject({ outcome: 'unsent' });
    expect((await getPrefix(etcd, '/a/')).values).toEqual([]);
  });

  it('is asked again in time whatever becomes of the wall clock', async () => {
    fake.outage = 'trouble';
    await failureOf(getPrefix(etcd, '/a/'));
    fake.outage = undefined;
    const wallMs = Date.now();
    const stepped = vi.spyOn(Date, 'now').mockReturnValue(wallMs - 3_600_000);
    try {
      await pauseFor(2 * PATIENCE.breakerResetMs, new AbortController().signal);
      expect((await getPrefix(etcd, '/a/')).values).toEqual([]);
    } finally {
      stepped.mockRestore();
    }
  });

  it('closes its breaker when it answers again', async () => {
    fake.outage = 'trouble';
    await failureOf(getPrefix(etcd, '/a/'));
    fake.outage = undefined;
    const quick = createEtcd({ urls: [fake.url], patience: { ...PATIENCE, breakerResetMs: 1 } });
    expect((await getPrefix(quick, '/a/')).values).toEqual([]);
  });

  it('ends its tries when they are called off', async () => {
    fake.outage = 'hang';
    const calling = new AbortController();
    fake.onRequest = () => calling.abort();
    const failure = await failureOf(getPrefix(etcd, '/a/', calling.signal));
    expect(failure.message).toContain('no answer in time');
    expect(fake.paths).toHaveLength(1);
  });
});

describe('a login', () => {
  const withUser = (user: string) =>
    createEtcd({ urls: [fake.url.replace('http://', `http://${user}@`)], patience: PATIENCE });

  it('comes first, once, where the URL has a user', async () => {
    fake.user = { name: 'root', password: 's3cr@t', token: 'token.1' };
    const mine = withUser('root:s3cr%40t');
    await getPrefix(mine, '/a/');
    await getPrefix(mine, '/a/');
    expect(fake.paths).toEqual(['/auth/authenticate', '/kv/range', '/kv/range']);
  });

  it('is repeated when the token is not good any more', async () => {
    fake.user = { name: 'root', password: 'x', token: 'token.1' };
    const mine = withUser('root:x');
    await getPrefix(mine, '/a/');
    fake.user.token = 'token.2';
    await getPrefix(mine, '/a/');
    expect(fake.paths.slice(2)).toEqual(['/kv/range', '/auth/authenticate', '/kv/range']);
  });

  it('that fails leaves a transaction unsent, which is then tried again', async () => {
    fake.user = { name: 'root', password: 'x', token: 'token.1' };
    fake.faults.push(['/auth/authenticate', 'break']);
    const done = await commit(withUser('root:x'), { compare: [], success: [{ put: '/a/x', value: 'v' }] });
    expect(done.succeeded).toBe(true);
    expect(fake.paths).toEqual(['/auth/authenticate', '/auth/authenticate', '/kv/txn']);
  });

  it('that is refused says whose it was, not with what', async () => {
    fake.user = { name: 'root', password: 'x', token: 'token.1' };
    const failure = await failureOf(getPrefix(withUser('root:wr0ng'), '/a/'));
    expect(failure.outcome).toBe('refused');
    expect(failure.message).toBe(`${fake.url} refuses the login of 'root'`);
  });

  it('is done without where etcd has no users', async () => {
    expect((await getPrefix(withUser('root:x'), '/a/')).values).toEqual([]);
  });
});

it('URLs stand between spaces or commas', () => {
  expect(splitUrls(['http://a:1,http://b:2', 'http://c:3'])).toEqual([
    'http://a:1',
    'http://b:2',
    'http://c:3',
  ]);
});
