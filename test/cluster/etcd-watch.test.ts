/** Watches of keys, against an etcd that fails in every way. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createEtcd, type Etcd } from '../../src/cluster/etcd-gateway.ts';
import { type EtcdEvent, watchPrefix } from '../../src/cluster/etcd-watch.ts';
import { type FakeEtcd, type Fault, startFakeEtcd } from '../support/fake-etcd.ts';
import { until } from '../support/until.ts';

const PATIENCE = { tryMsMax: 400, pauseMsMin: 1, breakerResetMs: 5, watchSilenceMsMax: 400 };
const FAULTS: readonly Fault[] = ['hang', 'break', 'trouble', 'half', 'nonsense'];

let fake: FakeEtcd;
let etcd: Etcd;
let stop: () => void;
let events: EtcdEvent[];
let lost: number;
let standings: string[];

beforeEach(async () => {
  fake = await startFakeEtcd();
  etcd = createEtcd({ urls: [fake.url], patience: PATIENCE });
  stop = () => undefined;
  events = [];
  lost = 0;
  standings = [];
});

afterEach(async () => {
  stop();
  await fake.close();
});

function watch(fromRevision: number): void {
  stop = watchPrefix(etcd, '/a/', fromRevision, {
    onEvents: (news) => events.push(...news),
    onLost: () => {
      lost += 1;
    },
    onStanding: (stands, reason) => standings.push(stands ? 'stands' : reason),
  });
}

const heard = (): string[] =>
  events.map(({ key, value, modRevision, isRemoved }) =>
    isRemoved ? `${modRevision} ${key} removed` : `${modRevision} ${key}=${value}`,
  );

const hears = (lines: readonly string[]): Promise<void> =>
  until(() => heard().length >= lines.length, { what: () => `heard ${heard()}`, msMax: 5_000 }).then(() =>
    expect(heard()).toEqual(lines),
  );

describe('a watch', () => {
  it('tells what happened from its revision on, and what happens, of its prefix only', async () => {
    fake.put('/a/x', 'early');
    fake.put('/a/x', 'one', '5');
    fake.put('/b/x', 'another');
    watch(3);
    await hears(['3 /a/x=one']);
    expect(events[0]).toMatchObject({ createRevision: 2, lease: '5', isRemoved: false });
    fake.put('/a/y', 'two');
    fake.remove('/a/x');
    await hears(['3 /a/x=one', '5 /a/y=two', '6 /a/x removed']);
    expect(standings).toEqual(['stands']);
  });

  it('goes on where it was when its stream breaks, and tells nothing twice', async () => {
    watch(2);
    const lines: string[] = [];
    for (let round = 0; round < 5; round++) {
      fake.put('/a/x', `${round}`);
      lines.push(`${round + 2} /a/x=${round}`);
      await hears(lines);
      fake.breakWatches();
    }
  });

  it.each(FAULTS)('that cannot be opened (%s) is opened when it can', async (fault) => {
    fake.put('/a/x', 'one');
    fake.faults.push(['/watch', fault], ['/watch', fault]);
    watch(2);
    await hears(['2 /a/x=one']);
    expect(lost).toBe(0);
  });

  it('that was silent for too long is opened anew, without a word about it', async () => {
    watch(2);
    await until(() => fake.paths.length >= 3, { what: () => 'it was not opened again', msMax: 5_000 });
    expect(standings).toEqual(['stands']);
    fake.put('/a/x', 'one');
    await hears(['2 /a/x=one']);
  });

  it('that does not stand any more says so, with the reason, and when it does again', async () => {
    watch(2);
    await until(() => standings.length > 0, { what: () => 'it does not stand', msMax: 5_000 });
    fake.outage = 'trouble';
    fake.breakWatches();
    await until(() => standings.length > 1, { what: () => 'nothing was said', msMax: 5_000 });
    fake.outage = undefined;
    await until(() => standings.length > 2, { what: () => 'it does not stand again', msMax: 5_000 });
    expect(standings[0]).toBe('stands');
    expect(standings[1]).toMatch(/broke off|ended|leader changed/);
    expect(standings[2]).toBe('stands');
  });

  it('of a stream that opens and then hangs does not stand', async () => {
    watch(2);
    await until(() => standings.length > 0, { what: () => 'it does not stand', msMax: 5_000 });
    fake.outage = 'mute';
    await until(() => standings.length > 1, { what: () => 'nothing was said', msMax: 5_000 });
    expect(standings[1]).toContain('no answer in time');
  });

  it('logs in again when its token is not known any more, as after a restart of etcd', async () => {
    fake.user = { name: 'root', password: 'x', token: 'token.1' };
    etcd = createEtcd({ urls: [fake.url.replace('http://', 'http://root:x@')], patience: PATIENCE });
    watch(2);
    await until(() => standings.length > 0, { what: () => 'it does not stand', msMax: 5_000 });
    fake.user.token = 'token.2';
    fake.breakWatches();
    fake.put('/a/x', 'one');
    await hears(['2 /a/x=one']);
  });

  it('of what was compacted is lost, once, and tells nothing', async () => {
    for (let round = 0; round < 5; round++) fake.put('/a/x', `${round}`);
    fake.compact(4);
    watch(2);
    await until(() => lost > 0, { what: () => 'it was not lost', msMax: 5_000 });
    fake.put('/a/x', 'late');
    expect(heard()).toEqual([]);
    expect(lost).toBe(1);
    expect(fake.paths).toEqual(['/watch']);
  });

  it('that was stopped tells nothing more, and asks for nothing', async () => {
    watch(2);
    await until(() => fake.watches.size === 1, { what: () => 'it was not opened', msMax: 5_000 });
    stop();
    fake.put('/a/x', 'one');
    await until(() => fake.watches.size === 0, { what: () => 'it was not closed', msMax: 5_000 });
    expect(heard()).toEqual([]);
    expect(fake.paths).toEqual(['/watch']);
  });

  it('takes lines in whatever pieces they come', async () => {
    const value = 'x'.repeat(300_000);
    watch(2);
    fake.put('/a/x', value);
    fake.put('/a/y', 'ä');
    await hears([`2 /a/x=${value}`, '3 /a/y=ä']);
  });
});
