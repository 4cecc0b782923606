/**
 * A disk whose writes and syncs the latency monitor watches, for the log of a worker. Runs on the worker.
 *
 * The events are redis-server's, though no fork writes here: `aof-write-active-child` is a write while a snapshot is taken, and
 * under `appendfsync always` a sync holds up replies, not the thread.
 */
import type { Engine } from '../commands/engine.ts';
import { endWatch, noteLatency, startWatch } from '../commands/latency-monitor.ts';
import type { Storage } from '../durability/storage-types.ts';
import { SNAPSHOT_RUNNING } from '../metrics/persistence.ts';

/** Everything but `write` and `syncLater` is the disk's own. Costs nothing but a call while the monitor is off. */
export function watchDisk(disk: Storage, engine: Engine): Storage {
  let syncsRunning = 0;
  return {
    ...disk,
    write: (fd, bytes, start, end, position) => {
      const watch = startWatch(engine);
      disk.write(fd, bytes, start, end, position);
      const tookMs = endWatch(engine, 'aof-write', watch);
      if (syncsRunning > 0) noteLatency(engine, 'aof-write-pending-fsync', tookMs);
      else if (engine.persistence[SNAPSHOT_RUNNING] === 1)
        noteLatency(engine, 'aof-write-active-child', tookMs);
      else noteLatency(engine, 'aof-write-alone', tookMs);
    },
    syncLater: (fd, done) => {
      const watch = startWatch(engine);
      syncsRunning += 1;
      disk.syncLater(fd, (error) => {
        syncsRunning -= 1;
        if (engine.config.appendfsync === 'always') endWatch(engine, 'aof-fsync-always', watch);
        done(error);
      });
    },
  };
}
