/**
 * What is told of the miss-ratio curve, as data. Constants only; any thread.
 */
import type { Metric } from './names.ts';

export const PREDICTED_HIT_RATIO_METRIC: Metric = {
  name: 'distcache_predicted_hit_ratio',
  type: 'gauge',
  unit: 'ratio',
  help: 'The hit ratio that this much memory would bring: half of what there is, as much as now, double.',
};

export const PREDICTED_MEMORY_METRIC: Metric = {
  name: 'distcache_predicted_memory_bytes',
  type: 'gauge',
  unit: 'bytes',
  help: 'How much memory half, now and double are.',
};

export const SAMPLED_KEYS_METRIC: Metric = {
  name: 'distcache_sampled_keys',
  type: 'gauge',
  unit: '',
  help: 'Keys that are watched for the prediction of hit ratios.',
};
