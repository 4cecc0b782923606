/**
 * What a directive is: one row of the tables behind the configuration file, flags, environment, CONFIG
 * GET/SET/REWRITE and docs/configuration.md. Data only; any thread.
 */

export const INT_MIN = -(2 ** 31);
export const INT_MAX = 2 ** 31 - 1;
export const UINT_MAX = 2 ** 32 - 1;
export const INT64_MAX = 2n ** 63n - 1n;
export const UINT64_MAX = 2n ** 64n - 1n;
export const PORT_MAX = 65535;

/**
 * `list` is words with a space between them, `flags` words out of `values`, `output-limits` groups of class, hard,
 * soft, seconds, `key-events` the letters of notify-keyspace-events; the rest say what they are.
 */
type DirectiveType =
  | 'int'
  | 'octal'
  | 'memory'
  | 'memory-or-percent'
  | 'bool'
  | 'enum'
  | 'flags'
  | 'string'
  | 'list'
  | 'save'
  | 'output-limits'
  | 'key-events'
  | 'percentiles'
  | 'oom-scores'
  | 'master-address';

/** `live` acts at once when set, `start` is read once, `stored` is accepted and answered but changes nothing. */
type DirectiveEffect = 'live' | 'start' | 'stored';

/** Canonical text, or what is wrong in redis-server's words. */
export type Parsed = { readonly text: string } | { readonly problem: string };

export type Directive = {
  readonly name: string;
  /** The older redis name, which works everywhere too. */
  readonly alias?: string;
  readonly type: DirectiveType;
  /** In the form of the configuration file; `computed` says that config/machine finds it at start. */
  readonly default: string;
  /** In words, where the default is computed. */
  readonly computed?: string;
  /** Inclusive. Both are given for the numeric types. */
  readonly min?: number | bigint;
  readonly max?: number | bigint;
  /** Of an enum or flags, in the order in which redis-server names them. */
  readonly values?: readonly string[];
  readonly mutable: boolean;
  /** Refused by CONFIG SET unless enable-protected-configs allows it. */
  readonly protected?: boolean;
  /** Only answered when CONFIG GET names it exactly. */
  readonly hidden?: boolean;
  readonly effect: DirectiveEffect;
  readonly doc: string;
  /** A further check of a string: what is wrong with it, in redis-server's words. */
  readonly check?: (text: string) => string | undefined;
};
