/**
 * What the server knows of a command besides how to run it: the shape of one row of the command tables.
 *
 * Types only; any thread. The rows (tables/) are what COMMAND, COMMAND DOCS and COMMAND INFO answer from, and what the
 * dispatcher checks arity, flags and key positions by: one truth.
 */

/** Where a command's keys are, as COMMAND INFO describes it (Redis 7 key specifications). */
export type KeySpec = {
  readonly notes?: string;
  readonly flags: readonly string[];
  readonly begin:
    | { readonly index: number }
    | { readonly keyword: string; readonly startFrom: number }
    | 'unknown';
  readonly find:
    | { readonly lastKey: number; readonly step: number; readonly limit: number }
    | { readonly keyNumberIndex: number; readonly firstKey: number; readonly step: number }
    | 'unknown';
};

/** One node of a command's syntax, as COMMAND DOCS describes it. */
export type ArgumentSpec = {
  readonly name: string;
  readonly type: string;
  readonly displayText?: string;
  readonly keySpecIndex?: number;
  readonly token?: string;
  readonly summary?: string;
  readonly since?: string;
  readonly deprecatedSince?: string;
  readonly flags?: readonly string[];
  readonly arguments?: readonly ArgumentSpec[];
};

export type CommandSpec = {
  /** Lower case; a subcommand's is `container|sub`. */
  readonly name: string;
  /** Number of arguments, the name included; at least that many if negative. */
  readonly arity: number;
  readonly flags: readonly string[];
  readonly categories: readonly string[];
  readonly tips: readonly string[];
  /** Position of the first key, of the last one (negative: from the end), and the distance between two; 0 for none. */
  readonly firstKey: number;
  readonly lastKey: number;
  readonly keyStep: number;
  readonly keys: readonly KeySpec[];
  readonly summary: string;
  readonly since: string;
  readonly group: string;
  readonly complexity?: string;
  readonly docFlags?: readonly string[];
  readonly deprecatedSince?: string;
  readonly replacedBy?: string;
  readonly history?: readonly (readonly [since: string, change: string])[];
  readonly arguments?: readonly ArgumentSpec[];
  readonly subcommands?: readonly CommandSpec[];
};
