/**
 * The codes with which error replies begin, as data: errors are counted by them, and INFO errorstats names them.
 *
 * Constants only; any thread. The list is closed, so that the counters are bounded whatever clients ask.
 */

/** Every error that begins with another word counts here. */
export const OTHER_ERRORS = 'other';

/** Of redis-server, those that this server has or may have; in the order in which INFO tells them. */
export const ERROR_PREFIXES: readonly string[] = [
  'ASK',
  'BUSY',
  'BUSYGROUP',
  'BUSYKEY',
  'CLUSTERDOWN',
  'CROSSSLOT',
  'ERR',
  'EXECABORT',
  'INPROG',
  'INVALIDOBJ',
  'IOERR',
  'LOADING',
  'MASTERDOWN',
  'MISCONF',
  'MOVED',
  'NOAUTH',
  'NOGOODSLAVE',
  'NOGROUP',
  'NOMASTERLINK',
  'NOPERM',
  'NOPROTO',
  'NOREPLICAS',
  'NOSCRIPT',
  'NOTBUSY',
  'NOTREADY',
  'OOM',
  'READONLY',
  'TRYAGAIN',
  'UNBLOCKED',
  'UNKILLABLE',
  'WRONGPASS',
  'WRONGTYPE',
  OTHER_ERRORS,
];
