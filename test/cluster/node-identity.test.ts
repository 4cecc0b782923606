/** The name of a node, on a disk that stops and forgets. */
import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import { StartError } from '../../src/base/errors.ts';
import { NODE_FILE_NAME, takeNodeId } from '../../src/cluster/node-identity.ts';
import { createRandom } from '../support/seeded-random.ts';
import { createSimulatedDisk, DiskStopped, type SimulatedDisk } from '../support/simulated-disk.ts';

const FIRST = 'a'.repeat(40);
const SECOND = 'b'.repeat(40);
const PATH = `data/${NODE_FILE_NAME}`;

function diskWithFolder(): SimulatedDisk {
  const disk = createSimulatedDisk();
  disk.makeFolder('data');
  disk.syncFolder('.');
  return disk;
}

function take(disk: SimulatedDisk, made: string, configured = ''): string {
  return takeNodeId(disk, 'data', configured, () => made);
}

describe('a node', () => {
  it('keeps the name that it was given at its first start', () => {
    const disk = diskWithFolder();
    expect(take(disk, FIRST)).toBe(FIRST);
    expect(take(disk.kill(), SECOND)).toBe(FIRST);
    expect(disk.contents(PATH).toString()).toBe(`${FIRST}\n`);
  });

  it('has the name that is configured, whatever is kept, and keeps nothing then', () => {
    const disk = diskWithFolder();
    expect(take(disk, FIRST, SECOND.toUpperCase())).toBe(SECOND);
    expect(disk.exists(PATH)).toBe(false);
  });

  it.each(['', 'a', `${FIRST}a`, 'g'.repeat(40), `${FIRST.slice(0, 39)} `])(
    'refuses to be called %j by its configuration, or is called otherwise',
    (name) => {
      const disk = diskWithFolder();
      if (name === '') expect(take(disk, FIRST, name)).toBe(FIRST);
      else expect(() => take(disk, FIRST, name)).toThrow(StartError);
    },
  );

  it('does not start with a damaged file, and says what to do', () => {
    for (let length = 0; length < 40; length++) {
      const disk = diskWithFolder();
      disk.place(PATH, Buffer.from(FIRST.slice(0, length)));
      expect(() => take(disk, SECOND), `${length} bytes`).toThrow(/damaged.*remove the file/);
    }
    for (const text of [`${FIRST}x`, `${FIRST}\n\n`, `\n${FIRST}`, FIRST.toUpperCase()]) {
      const disk = diskWithFolder();
      disk.place(PATH, Buffer.from(text));
      expect(() => take(disk, SECOND), JSON.stringify(text)).toThrow(StartError);
    }
  });

  it('takes a name that was written without an end of line', () => {
    const disk = diskWithFolder();
    disk.place(PATH, Buffer.from(FIRST));
    expect(take(disk, SECOND)).toBe(FIRST);
  });

  it('has its one name after a power cut at any moment, once it was told', () => {
    const whole = diskWithFolder();
    const before = whole.operationCount();
    take(whole, FIRST);
    const steps = whole.operationCount() - before;
    expect(steps).toBeGreaterThan(3);
    for (let stop = 0; stop <= steps; stop++) {
      for (let seed = 1; seed <= 10; seed++) {
        const disk = diskWithFolder();
        disk.stopAt(disk.operationCount() + stop);
        let wasTold = false;
        try {
          take(disk, FIRST);
          wasTold = true;
        } catch (error) {
          if (!(error instanceof DiskStopped)) throw error;
        }
        const name = take(disk.crash(createRandom(seed)), SECOND);
        if (wasTold) expect(name).toBe(FIRST);
        else expect([FIRST, SECOND]).toContain(name);
      }
    }
  });
});
