/** Computed defaults on machines and cgroups of many kinds. */
import { describe, expect, it } from 'vitest';
import { ARENA_BYTES_MAX, GIB, MIB, WORKERS_MAX } from '../../src/config/limits.ts';
import {
  defaultClientsBytes,
  defaultMaxmemoryBytes,
  defaultWorkers,
  usableMemoryBytes,
} from '../../src/config/machine.ts';

function usable(files: Record<string, string>, constrainedBytes = 0): number {
  return usableMemoryBytes({ totalBytes: 64 * GIB, constrainedBytes, readFile: (path) => files[path] });
}

describe('the memory that the process may use', () => {
  it('is all of the machine where nothing limits it', () => {
    expect(usable({})).toBe(64 * GIB);
    expect(usable({ '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/memory.max': 'max\n' })).toBe(64 * GIB);
    expect(usable({}, 2 ** 64)).toBe(64 * GIB);
  });

  it('heeds what the runtime found', () => {
    expect(usable({}, 3 * GIB)).toBe(3 * GIB);
  });

  it('heeds the cgroup of version 2', () => {
    const files = { '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/memory.max': `${GIB}\n` };
    expect(usable(files)).toBe(GIB);
    expect(usable(files, 512 * MIB)).toBe(512 * MIB);
  });

  it('heeds the limits of parent cgroups', () => {
    const files = {
      '/proc/self/cgroup': '0::/system.slice/cache.service\n',
      '/sys/fs/cgroup/system.slice/cache.service/memory.max': 'max\n',
      '/sys/fs/cgroup/system.slice/memory.max': `${2 * GIB}\n`,
    };
    expect(usable(files)).toBe(2 * GIB);
  });

  it('heeds the cgroup of version 1, whose path may only exist on the host', () => {
    const cgroup = '12:cpu,cpuacct:/docker/ab\n9:memory:/docker/ab\n1:name=systemd:/docker/ab\n';
    expect(
      usable({ '/proc/self/cgroup': cgroup, '/sys/fs/cgroup/memory/memory.limit_in_bytes': `${4 * GIB}\n` }),
    ).toBe(4 * GIB);
    const inside = '/sys/fs/cgroup/memory/docker/ab/memory.limit_in_bytes';
    expect(usable({ '/proc/self/cgroup': cgroup, [inside]: `${5 * GIB}` })).toBe(5 * GIB);
    expect(usable({ '/proc/self/cgroup': cgroup, [inside]: '9223372036854771712' })).toBe(64 * GIB);
  });

  it('ignores files that hold something else', () => {
    expect(usable({ '/proc/self/cgroup': 'nonsense\n\n0::/\n', '/sys/fs/cgroup/memory.max': 'soon' })).toBe(
      64 * GIB,
    );
    expect(usable({ '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/memory.max': '' })).toBe(64 * GIB);
  });
});

describe('the computed defaults', () => {
  it('are one worker for each core, up to the bound', () => {
    expect(defaultWorkers({ cores: 8, memoryBytes: GIB })).toBe(8);
    expect(defaultWorkers({ cores: 0, memoryBytes: GIB })).toBe(1);
    expect(defaultWorkers({ cores: 1000, memoryBytes: GIB })).toBe(WORKERS_MAX);
  });

  it('are half of the memory, within what so many shards can work with', () => {
    expect(defaultMaxmemoryBytes({ cores: 4, memoryBytes: 8 * GIB + 5 }, 4)).toBe(4 * GIB);
    expect(defaultMaxmemoryBytes({ cores: 1, memoryBytes: 64 * GIB }, 1)).toBe(ARENA_BYTES_MAX);
    expect(defaultMaxmemoryBytes({ cores: 8, memoryBytes: 4 * MIB }, 8)).toBe(8 * MIB);
  });

  it('are a quarter of the memory for what all clients keep, and never next to nothing', () => {
    expect(defaultClientsBytes({ cores: 4, memoryBytes: 8 * GIB + 5 })).toBe(2 * GIB);
    expect(defaultClientsBytes({ cores: 1, memoryBytes: 128 * MIB })).toBe(64 * MIB);
  });
});
