/**
 * The directives of folders, the log and snapshots, as data. Any thread. The names of redis-server's files are kept without
 * effect: files have fixed names here (docs/formats).
 */
import { type Directive, INT_MAX, INT64_MAX } from './directive.ts';
import { SNAPSHOT_CPU_PERCENT_MAX } from './limits.ts';
import { checkAppendFileName, checkAppendFolderName, checkSnapshotFileName } from './string-checks.ts';

export const DURABILITY_DIRECTIVES = [
  {
    name: 'dir',
    type: 'string',
    default: 'computed',
    computed: 'the folder in which the server was started',
    mutable: false,
    protected: true,
    effect: 'start',
    doc: "Folder of the server's files. It must exist.",
  },
  {
    name: 'appendonly',
    type: 'bool',
    default: 'yes',
    mutable: true,
    effect: 'live',
    doc: 'Whether changes are logged to disk. Set at run time, `yes` begins a log with a snapshot, and `no` ends it.',
  },
  {
    name: 'appendfsync',
    type: 'enum',
    default: 'everysec',
    values: ['everysec', 'always', 'no'],
    mutable: true,
    effect: 'live',
    doc:
      'When the log is forced to disk: `always` before a change is answered, `everysec` once a second, `no` when the kernel ' +
      'likes to. Under each, what was answered survives the death of the process; the policy is about power cuts.',
  },
  {
    name: 'appendfilename',
    type: 'string',
    default: 'appendonly.aof',
    mutable: false,
    effect: 'stored',
    doc: 'Log files of redis-server. Names are fixed: `worker-000/wal-000000000001.log` and so on, in `dir`.',
    check: checkAppendFileName,
  },
  {
    name: 'appenddirname',
    type: 'string',
    default: 'appendonlydir',
    mutable: false,
    effect: 'stored',
    doc: 'Folder of the log files of redis-server. Names are fixed: `worker-000` and so on, in `dir`.',
    check: checkAppendFolderName,
  },
  {
    name: 'save',
    type: 'save',
    default: '3600 1 300 100 60 10000',
    mutable: true,
    effect: 'live',
    doc:
      'Pairs of seconds and changes: a snapshot is taken after so many seconds with at least so many changes. ' +
      'Empty: none is taken for that reason, nor at a stop.',
  },
  {
    name: 'stop-writes-on-bgsave-error',
    type: 'bool',
    default: 'yes',
    mutable: true,
    effect: 'live',
    doc: 'Whether writes are refused after a snapshot has failed, until one succeeds; only while there are `save` points.',
  },
  {
    name: 'snapshot-cpu-share',
    type: 'int',
    default: '50',
    min: 1,
    max: SNAPSHOT_CPU_PERCENT_MAX,
    mutable: true,
    effect: 'live',
    doc: 'Percent of one core that a snapshot in the background may use. SAVE and a stop take what there is.',
  },
  {
    name: 'auto-aof-rewrite-percentage',
    type: 'int',
    default: '100',
    min: 0,
    max: INT_MAX,
    mutable: true,
    effect: 'live',
    doc:
      'A snapshot is taken, and the log before it removed, when both together have grown by so many percent since the last ' +
      'one. 0: never for that reason.',
  },
  {
    name: 'auto-aof-rewrite-min-size',
    type: 'memory',
    default: '64mb',
    min: 0,
    max: INT64_MAX,
    mutable: true,
    effect: 'live',
    doc: 'Below this size `auto-aof-rewrite-percentage` is not looked at.',
  },
  {
    name: 'aof-load-truncated',
    type: 'bool',
    default: 'yes',
    mutable: true,
    effect: 'live',
    doc:
      'Whether a log whose end is torn, as a power cut leaves it, is loaded: the torn end is cut off and reported. `no`: the ' +
      'server refuses to start.',
  },
  {
    name: 'on-log-error',
    type: 'enum',
    default: 'refuse',
    values: ['refuse', 'continue'],
    mutable: true,
    effect: 'live',
    doc:
      'While the log cannot be written: `refuse` answers writes with an error and goes on reading, `continue` serves as a cache ' +
      'that forgets. Both end by themselves when the disk recovers.',
  },
  {
    name: 'dbfilename',
    type: 'string',
    default: 'dump.rdb',
    mutable: true,
    protected: true,
    effect: 'stored',
    doc: 'Snapshot file of redis-server. Names are fixed: `shard-000/snapshot-000000000001.snap` and so on, in `dir`.',
    check: checkSnapshotFileName,
  },
] as const satisfies readonly Directive[];
