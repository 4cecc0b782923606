/**
 * What is told of how commands and workers fare, as data. Constants only; any thread.
 */
import type { Metric } from './names.ts';

/** By command that was called or refused. */
export const COMMAND_METRICS = [
  {
    field: 'calls',
    name: 'distcache_command_calls_total',
    type: 'counter',
    unit: '',
    help: 'Calls of the command that were executed; commands that were never called are left out.',
  },
  {
    field: 'rejected',
    name: 'distcache_command_rejected_calls_total',
    type: 'counter',
    unit: '',
    help: 'Calls of the command that were refused before they were executed.',
  },
  {
    field: 'failed',
    name: 'distcache_command_failed_calls_total',
    type: 'counter',
    unit: '',
    help: 'Calls of the command that were executed and answered an error.',
  },
  {
    field: 'seconds',
    name: 'distcache_command_seconds_total',
    type: 'counter',
    unit: 'seconds',
    help: 'How long all calls of the command took together.',
  },
] as const satisfies readonly (Metric & { field: string })[];

export const COMMAND_DURATION_METRIC: Metric = {
  name: 'distcache_command_duration_seconds',
  type: 'histogram',
  unit: 'seconds',
  help: 'How long calls of the command took while latency-tracking was on; fast ones in a row count with their mean.',
};

export const COMMAND_DURATION_MAX_METRIC: Metric = {
  name: 'distcache_command_duration_max_seconds',
  type: 'gauge',
  unit: 'seconds',
  help: 'How long the longest call of the command took.',
};

export const WORKER_TURN_METRIC: Metric = {
  name: 'distcache_worker_turn_seconds',
  type: 'histogram',
  unit: 'seconds',
  help: 'How long the turns of the worker took: all that was readable in one pass of its event loop.',
};

export const LOOP_DELAY_METRIC: Metric = {
  name: 'distcache_worker_loop_delay_seconds',
  type: 'histogram',
  unit: 'seconds',
  help: 'How much later than asked for a timer of the worker ran: how late its event loop is.',
};

export const ERRORS_METRIC: Metric = {
  name: 'distcache_errors_total',
  type: 'counter',
  unit: '',
  help: 'Replies that were errors by their first word, of the words that Redis has; "other" of all others.',
};
