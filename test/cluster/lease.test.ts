/** Until when a node may act by its lease, with a clock that the test moves. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createEtcd } from '../../src/cluster/etcd-gateway.ts';
import {
  admitLease,
  beatMs,
  createLease,
  dropLease,
  type Lease,
  renewLease,
  suspendLease,
  takeLease,
} from '../../src/cluster/lease.ts';
import { type FakeEtcd, startFakeEtcd } from '../support/fake-etcd.ts';

const PATIENCE = { tryMsMax: 2_000, pauseMsMin: 1, breakerResetMs: 1 };
/** 3 s, less the margin. */
const REIGN_MS = 2_800;

let fake: FakeEtcd;
let lease: Lease;
let nowMs: number;
let ends: number[];

beforeEach(async () => {
  fake = await startFakeEtcd();
  nowMs = 1_000;
  ends = [];
  const etcd = createEtcd({ urls: [fake.url], patience: PATIENCE });
  lease = createLease(
    etcd,
    3,
    () => nowMs,
    (endsMs) => ends.push(endsMs),
  );
});

afterEach(() => fake.close());

/** The clock moves while a request is under way. */
async function during<Result>(ms: number, request: Promise<Result>): Promise<Result> {
  const result = await request;
  nowMs += ms;
  return result;
}

describe('a lease', () => {
  it('counts from when it was asked for, less a margin', async () => {
    fake.onRequest = () => {
      nowMs += 500;
    };
    await takeLease(lease);
    expect(lease.endsMs).toBe(1_000 + REIGN_MS);
  });

  it('lets nobody act by it until it is admitted', async () => {
    await during(100, takeLease(lease));
    await during(600, renewLease(lease));
    expect(ends).toEqual([]);
    admitLease(lease);
    expect(ends).toEqual([1_100 + REIGN_MS]);
  });

  it('counts from when the keep-alive was sent that was answered', async () => {
    await takeLease(lease);
    admitLease(lease);
    fake.onRequest = () => {
      nowMs += 90;
    };
    for (let beat = 0; beat < 3; beat++) {
      nowMs += beatMs(lease);
      const sentMs = nowMs;
      fake.faults.push(['/lease/keepalive', 'trouble'], ['/lease/keepalive', 'break after']);
      expect(await renewLease(lease)).toBe(true);
      expect(ends.at(-1)).toBe(sentMs + 90 + 90 + REIGN_MS);
    }
  });

  it('ends where it did when a keep-alive is not answered, however often it was sent', async () => {
    await takeLease(lease);
    admitLease(lease);
    fake.outage = 'break after';
    nowMs += 600;
    await expect(renewLease(lease)).rejects.toThrow();
    expect(ends).toEqual([1_000 + REIGN_MS]);
    expect(lease.endsMs).toBe(1_000 + REIGN_MS);
  });

  it('goes on when the answer comes after this node took it for ended', async () => {
    await takeLease(lease);
    admitLease(lease);
    nowMs += 10_000;
    expect(await renewLease(lease)).toBe(true);
    expect(ends.at(-1)).toBe(11_000 + REIGN_MS);
  });

  it('is over at once when etcd says that it is gone', async () => {
    await takeLease(lease);
    admitLease(lease);
    fake.store.leases.clear();
    expect(await renewLease(lease)).toBe(false);
    expect(ends.at(-1)).toBe(0);
    expect(lease).toMatchObject({ id: '', endsMs: 0, isAdmitted: false });
  });

  it('that was suspended lives on without effect', async () => {
    await takeLease(lease);
    admitLease(lease);
    suspendLease(lease);
    nowMs += 600;
    await renewLease(lease);
    expect(ends).toEqual([1_000 + REIGN_MS, 0]);
    admitLease(lease);
    expect(ends.at(-1)).toBe(1_600 + REIGN_MS);
  });

  it('is given up here before it is given back', async () => {
    await takeLease(lease);
    admitLease(lease);
    fake.faults.push(['/lease/revoke', 'break']);
    const dropping = dropLease(lease);
    expect(ends.at(-1)).toBe(0);
    await dropping;
    expect(fake.store.leases.size).toBe(0);
  });

  it('is not revived by a keep-alive that was under way when it was given up', async () => {
    await takeLease(lease);
    admitLease(lease);
    const renewing = renewLease(lease);
    const dropping = dropLease(lease);
    expect(await renewing).toBe(true);
    await dropping;
    expect(ends.at(-1)).toBe(0);
    expect(lease.endsMs).toBe(0);
  });

  it('has a greater margin the longer it is', async () => {
    const etcd = createEtcd({ urls: [fake.url], patience: PATIENCE });
    const long = createLease(
      etcd,
      30,
      () => nowMs,
      () => undefined,
    );
    // What etcd grants counts, which here is three seconds whatever was asked for.
    await takeLease(long);
    expect(long.endsMs).toBe(1_000 + REIGN_MS);
    fake.ttlSeconds = 30;
    await takeLease(long);
    expect(long.endsMs).toBe(1_000 + 28_500);
  });
});
