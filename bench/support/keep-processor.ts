/** Keeps other processes from disturbing a server that is measured. */
import { spawnSync } from 'node:child_process';

/**
 * Has the kernel take the processor from the server's threads for no other process (SCHED_FIFO), where that is allowed: a
 * hold of a lock is wall time, and what others take within it is not the lock's. Whether it was allowed.
 */
export function keepProcessor(pid: number): boolean {
  const { status } = spawnSync('chrt', ['--all-tasks', '--fifo', '--pid', '1', String(pid)], {
    stdio: 'ignore',
  });
  return status === 0;
}
