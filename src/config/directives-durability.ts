/**
 * The directives of folders, log files and snapshots, as data. Any thread. Those of the append-only log and the
 * snapshots are kept until both are served; their rows say so.
 */
import type { Directive } from './directive.ts';
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
    effect: 'stored',
    doc: 'Whether changes are logged to disk. Takes effect with durability; nothing is logged yet.',
  },
  {
    name: 'appendfsync',
    type: 'enum',
    default: 'everysec',
    values: ['everysec', 'always', 'no'],
    mutable: true,
    effect: 'stored',
    doc: 'When the log is forced to disk. Takes effect with durability.',
  },
  {
    name: 'appendfilename',
    type: 'string',
    default: 'appendonly.aof',
    mutable: false,
    effect: 'stored',
    doc: 'First part of the names of the log files. Takes effect with durability.',
    check: checkAppendFileName,
  },
  {
    name: 'appenddirname',
    type: 'string',
    default: 'appendonlydir',
    mutable: false,
    effect: 'stored',
    doc: 'Folder of the log files, inside `dir`. Takes effect with durability.',
    check: checkAppendFolderName,
  },
  {
    name: 'save',
    type: 'save',
    default: '3600 1 300 100 60 10000',
    mutable: true,
    effect: 'stored',
    doc:
      'Pairs of seconds and changes: a snapshot is taken after so many seconds with at least so many changes. ' +
      'Empty: never. Takes effect with durability.',
  },
  {
    name: 'dbfilename',
    type: 'string',
    default: 'dump.rdb',
    mutable: true,
    protected: true,
    effect: 'stored',
    doc: 'Name of the snapshot file. Takes effect with durability.',
    check: checkSnapshotFileName,
  },
] as const satisfies readonly Directive[];
