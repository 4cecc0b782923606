/**
 * Up to which size collections are small: redis-server's directives, as this thread has them.
 *
 * One record per thread, set at its start and with each change of the configuration. What is large already stays so.
 */
import type { Config } from '../config/config.ts';

export const thresholds = {
  hashEntries: 512,
  hashValueBytes: 64,
  intsetEntries: 512,
  zsetEntries: 128,
  zsetValueBytes: 64,
};

export function applyCollectionThresholds(config: Config): void {
  thresholds.hashEntries = config.hashMaxListpackEntries;
  thresholds.hashValueBytes = config.hashMaxListpackValue;
  thresholds.intsetEntries = config.setMaxIntsetEntries;
  thresholds.zsetEntries = config.zsetMaxListpackEntries;
  thresholds.zsetValueBytes = config.zsetMaxListpackValue;
}
