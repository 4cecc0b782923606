/** One process per folder: contenders at every moment of one another, and real processes that are killed. */
import { Buffer } from 'node:buffer';
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StartError } from '../../src/base/errors.ts';
import {
  acquireDirectoryLock,
  DIRECTORY_LOCK_NAME,
  type DirectoryLock,
  describeProcess,
  type LockHolder,
  releaseDirectoryLock,
} from '../../src/durability/directory-lock.ts';
import { createDiskStorage } from '../../src/durability/storage.ts';
import type { Storage } from '../../src/durability/storage-types.ts';
import { createSimulatedDisk, DiskStopped, type SimulatedDisk } from '../support/simulated-disk.ts';

/** More storage calls than any acquiring makes. */
const CALLS_MAX = 200;

/** A machine with one disk and processes that live until they are said to be dead. */
type Machine = { readonly disk: SimulatedDisk; readonly running: Map<number, string> };

function createMachine(): Machine {
  return { disk: createSimulatedDisk(), running: new Map() };
}

function start(machine: Machine, pid: number, started = String(pid * 10)): LockHolder {
  machine.running.set(pid, started);
  return { pid, started, boot: machine.disk.bootId(), host: 'box' };
}

function acquire(machine: Machine, self: LockHolder, storage: Storage = machine.disk): DirectoryLock {
  return acquireDirectoryLock(storage, '.', self, (pid) => machine.running.get(pid));
}

function lockedBy(machine: Machine): number {
  return JSON.parse(machine.disk.contents(DIRECTORY_LOCK_NAME).toString()).pid;
}

/** The lock of a process that is gone. */
function leaveStaleLock(machine: Machine, pid = 66): void {
  acquire(machine, start(machine, pid));
  machine.running.delete(pid);
}

/** A storage whose calls are counted: before the call of that number, something happens. */
function interrupted(storage: Storage, before: number, happening: () => void): Storage & { calls: number } {
  const counting = { calls: 0 } as Storage & { calls: number };
  for (const [name, call] of Object.entries(storage) as [string, (...given: unknown[]) => unknown][]) {
    Object.assign(counting, {
      [name]: (...given: unknown[]) => {
        counting.calls += 1;
        if (counting.calls === before) happening();
        return call(...given);
      },
    });
  }
  return counting;
}

/** Whether the folder was got; any refusal must name a process. */
function isHeld(attempt: () => DirectoryLock): boolean {
  try {
    attempt();
    return true;
  } catch (error) {
    expect(error).toBeInstanceOf(StartError);
    expect((error as Error).message).toMatch(/is in use by process \d+ \(distcache\.lock\)$/);
    return false;
  }
}

describe('the lock of a folder', () => {
  it('is taken by one process, and refused to the next with its number', () => {
    const machine = createMachine();
    acquire(machine, start(machine, 7));
    expect(lockedBy(machine)).toBe(7);
    expect(() => acquire(machine, start(machine, 8))).toThrow(StartError);
    expect(() => acquire(machine, start(machine, 8))).toThrow(
      `the folder '${process.cwd()}' is in use by process 7 (distcache.lock)`,
    );
    expect(machine.disk.list('.')).toEqual([DIRECTORY_LOCK_NAME]);
  });

  it('is refused to the same process a second time', () => {
    const machine = createMachine();
    const self = start(machine, 7);
    acquire(machine, self);
    expect(() => acquire(machine, self)).toThrow('in use by process 7');
  });

  it('is free again after its release', () => {
    const machine = createMachine();
    const lock = acquire(machine, start(machine, 7));
    releaseDirectoryLock(machine.disk, lock);
    expect(machine.disk.list('.')).toEqual([]);
    releaseDirectoryLock(machine.disk, lock);
    acquire(machine, start(machine, 8));
    releaseDirectoryLock(machine.disk, lock);
    expect(lockedBy(machine)).toBe(8);
  });

  it.each([
    ['its process is gone', (machine: Machine) => machine.running.delete(7)],
    ['its process id is another process by now', (machine: Machine) => machine.running.set(7, '71')],
  ])('is taken over when %s', (_, pass) => {
    const machine = createMachine();
    acquire(machine, start(machine, 7));
    pass(machine);
    acquire(machine, start(machine, 8));
    expect(lockedBy(machine)).toBe(8);
    expect(machine.disk.list('.')).toEqual([DIRECTORY_LOCK_NAME]);
  });

  it('is taken over by the process that has got the dead holder’s number', () => {
    const machine = createMachine();
    acquire(machine, start(machine, 1, '100'));
    acquire(machine, start(machine, 1, '200'));
    expect(JSON.parse(machine.disk.contents(DIRECTORY_LOCK_NAME).toString()).started).toBe('200');
  });

  it('is taken over after the machine was started anew, whoever has that number now', () => {
    const machine = createMachine();
    acquire(machine, { ...start(machine, 7), boot: 'before' });
    acquire(machine, start(machine, 8));
    expect(lockedBy(machine)).toBe(8);
  });

  it('of another host stays, since nobody can tell', () => {
    const machine = createMachine();
    acquire(machine, { ...start(machine, 7), host: 'elsewhere' });
    machine.running.clear();
    expect(() => acquire(machine, start(machine, 8))).toThrow(
      /in use by process 7 of the host 'elsewhere' \(distcache\.lock; remove it if no server runs there any more\)$/,
    );
  });

  it('counts as held where the system does not tell when a process started', () => {
    const machine = createMachine();
    acquire(machine, start(machine, 7, ''));
    expect(() => acquire(machine, start(machine, 8))).toThrow('in use by process 7');
  });

  it.each(['', '{', 'null', '{"pid":7}', '\0\0\0\0', '[]', '"text"'])(
    'with the text %j is nobody’s',
    (text) => {
      const machine = createMachine();
      machine.disk.place(DIRECTORY_LOCK_NAME, Buffer.from(text));
      acquire(machine, start(machine, 8));
      expect(lockedBy(machine)).toBe(8);
    },
  );

  it('that the disk refuses is a StartError', () => {
    const machine = createMachine();
    machine.disk.failNext('createFile', 'EROFS');
    expect(() => acquire(machine, start(machine, 8))).toThrow(StartError);
    machine.disk.failNext('link', 'EPERM');
    expect(() => acquire(machine, start(machine, 8))).toThrow(/cannot lock the folder '.*': EPERM/);
    expect(machine.disk.list('.')).toEqual([]);
  });

  it('clears away what dead contenders left, and nothing of the living', () => {
    const machine = createMachine();
    machine.disk.place(`${DIRECTORY_LOCK_NAME}.00000000`, Buffer.from('torn'));
    machine.disk.place(`${DIRECTORY_LOCK_NAME}.11111111.tmp`, Buffer.from(JSON.stringify(start(machine, 9))));
    machine.disk.place(
      `${DIRECTORY_LOCK_NAME}.22222222.tmp`,
      Buffer.from(JSON.stringify(start(machine, 10))),
    );
    machine.disk.place('distcache.manifest', Buffer.from('{}'));
    machine.running.delete(10);
    acquire(machine, start(machine, 8));
    expect(machine.disk.list('.')).toEqual([
      DIRECTORY_LOCK_NAME,
      `${DIRECTORY_LOCK_NAME}.11111111.tmp`,
      'distcache.manifest',
    ]);
  });
});

describe.each([
  ['a free folder', () => undefined],
  ['a stale lock', leaveStaleLock],
  [
    'a stale lock, and a claim on it of a contender that died',
    (machine: Machine) => {
      leaveStaleLock(machine);
      dieHalfway(machine, 67);
    },
  ],
])('contenders for %s', (_, prepare) => {
  /** Tries one interruption after the other, until one comes too late; how many there were. */
  function atEveryCall(tryAt: (call: number) => boolean): number {
    let call = 1;
    while (tryAt(call) && call < CALLS_MAX) call += 1;
    expect(call).toBeLessThan(CALLS_MAX);
    return call;
  }

  it('one that comes at any moment of another: exactly one gets it', () => {
    const winners = new Set<number>();
    const calls = atEveryCall((call) => {
      const machine = createMachine();
      prepare(machine);
      const [first, second] = [start(machine, 1), start(machine, 2)];
      let secondHolds = false;
      const storage = interrupted(machine.disk, call, () => {
        secondHolds = isHeld(() => acquire(machine, second));
      });
      const firstHolds = isHeld(() => acquire(machine, first, storage));
      const wasInterrupted = storage.calls >= call;
      if (wasInterrupted) expect([call, Number(firstHolds) + Number(secondHolds)]).toEqual([call, 1]);
      const holder = firstHolds ? 1 : 2;
      expect(lockedBy(machine)).toBe(holder);
      expect(machine.disk.list('.')).toEqual([DIRECTORY_LOCK_NAME]);
      winners.add(holder);
      return wasInterrupted;
    });
    expect(calls).toBeGreaterThan(5);
    expect([...winners].sort()).toEqual([1, 2]);
  });

  it('three, one within another at any moment: exactly one gets it', () => {
    atEveryCall((outer) => {
      let wasInterrupted = false;
      atEveryCall((inner) => {
        const machine = createMachine();
        prepare(machine);
        const [first, second, third] = [start(machine, 1), start(machine, 2), start(machine, 3)];
        const holds = [false, false, false];
        const within = interrupted(machine.disk, inner, () => {
          holds[2] = isHeld(() => acquire(machine, third));
        });
        const around = interrupted(machine.disk, outer, () => {
          holds[1] = isHeld(() => acquire(machine, second, within));
        });
        holds[0] = isHeld(() => acquire(machine, first, around));
        wasInterrupted = around.calls >= outer;
        expect(holds.filter(Boolean)).toHaveLength(1);
        expect(lockedBy(machine)).toBe(holds.indexOf(true) + 1);
        expect(machine.disk.list('.')).toEqual([DIRECTORY_LOCK_NAME]);
        return within.calls >= inner;
      });
      return wasInterrupted;
    });
  });

  it('one that dies at any moment keeps nobody out, and leaves nothing for long', () => {
    atEveryCall((call) => {
      const machine = createMachine();
      prepare(machine);
      const isDead = dieHalfway(machine, 1, call);
      if (!isDead) return false;
      acquire(machine, start(machine, 2));
      expect(lockedBy(machine)).toBe(2);
      expect(machine.disk.list('.')).toEqual([DIRECTORY_LOCK_NAME]);
      return true;
    });
  });

  it('one that dies within another at any moment: that one gets it', () => {
    atEveryCall((outer) => {
      let wasInterrupted = false;
      atEveryCall((inner) => {
        const machine = createMachine();
        prepare(machine);
        const first = start(machine, 1);
        let isDead = false;
        const storage = interrupted(machine.disk, outer, () => {
          isDead = dieHalfway(machine, 2, inner);
        });
        const firstHolds = isHeld(() => acquire(machine, first, storage));
        wasInterrupted = storage.calls >= outer;
        if (isDead) expect(firstHolds).toBe(true);
        return isDead;
      });
      return wasInterrupted;
    });
  });
});

/** A contender that dies at a call (else: with a claim in hand); false when it came through. */
function dieHalfway(machine: Machine, pid: number, before = 0): boolean {
  const death = new DiskStopped();
  const self = start(machine, pid);
  let isDead = false;
  const die = (): void => {
    isDead = true;
    throw death;
  };
  // The dead do not tidy up: once dead, every call fails.
  const storage = interrupted(machine.disk, before, die);
  const mortal = Object.fromEntries(
    Object.entries(storage).map(([name, call]) => [
      name,
      (...given: unknown[]) => {
        if (isDead || (before === 0 && name === 'rename')) die();
        return (call as (...given: unknown[]) => unknown)(...given);
      },
    ]),
  ) as unknown as Storage;
  try {
    acquire(machine, self, mortal);
  } catch (error) {
    if (error !== death && !(error instanceof StartError)) throw error;
  }
  machine.running.delete(pid);
  return isDead;
}

describe('real processes', () => {
  const script = fileURLToPath(new URL('../support/lock-holder.ts', import.meta.url));
  type Holder = {
    readonly child: ChildProcessByStdio<Writable, Readable, null>;
    readonly nextLine: () => Promise<string>;
  };
  let folder: string;
  let holders: Holder[];

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'distcache-lock-'));
    holders = [];
  });

  afterEach(async () => {
    for (const { child } of holders) await end(child, 'SIGKILL');
    rmSync(folder, { recursive: true });
  });

  async function startHolder(): Promise<Holder> {
    const child = spawn(process.execPath, [script, folder], { stdio: ['pipe', 'pipe', 'inherit'] });
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    const holder = { child, nextLine: async () => String((await lines.next()).value) };
    holders.push(holder);
    expect(await holder.nextLine()).toBe('ready');
    return holder;
  }

  async function tryToHold({ child, nextLine }: Holder): Promise<string> {
    child.stdin.write('take\n');
    return await nextLine();
  }

  async function end(child: Holder['child'], signal?: 'SIGKILL'): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    if (signal === undefined) child.stdin.end();
    else child.kill(signal);
    await ended;
  }

  it('keep one another out, until the holder stops or is killed', async () => {
    const [first, second, third] = await Promise.all([startHolder(), startHolder(), startHolder()]);
    expect(await tryToHold(first)).toBe('held');
    expect(await tryToHold(second)).toBe(
      `the folder '${folder}' is in use by process ${first.child.pid} (distcache.lock)`,
    );
    await end(first.child, 'SIGKILL');
    expect(await tryToHold(third)).toBe('held');
    expect(JSON.parse(readFileSync(join(folder, DIRECTORY_LOCK_NAME), 'utf8'))).toMatchObject({
      pid: third.child.pid,
      host: hostname(),
    });
    await end(third.child);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('racing for a stale lock: one gets it', async () => {
    const racers = await Promise.all([startHolder(), startHolder(), startHolder(), startHolder()]);
    const self = describeProcess(createDiskStorage());
    writeFileSync(join(folder, DIRECTORY_LOCK_NAME), JSON.stringify({ ...self, started: 'long ago' }));
    const said = await Promise.all(racers.map(tryToHold));
    expect(said.filter((text) => text === 'held')).toHaveLength(1);
    for (const text of said) expect(text).toMatch(/^held$|in use by process \d+ \(distcache\.lock\)$/);
  });

  it('are described as the kernel does', () => {
    const self = describeProcess(createDiskStorage());
    expect(self).toMatchObject({ pid: process.pid, host: hostname() });
    if (process.platform === 'linux') expect(self.started).toMatch(/^\d+$/);
    expect(describeProcess(createDiskStorage())).toEqual(self);
  });
});
