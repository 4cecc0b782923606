/**
 * Config: the settings that are in force, as one plain record that can be cloned to other threads. Each thread
 * holds its own copy; changes travel as plain pairs of name and canonical text. No I/O.
 */
import { assert } from '../base/assert.ts';
import { typedValue } from './directive-values.ts';
import { DIRECTIVES, findDirective, TYPED_DIRECTIVES } from './directives.ts';
import type { OutputLimits, SavePoint } from './special-values.ts';

type TypedDirective = (typeof TYPED_DIRECTIVES)[number];

type CamelCase<Name extends string> = Name extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : Name;

type ValueOf<Row> = Row extends { type: 'int' | 'octal' | 'memory' }
  ? number
  : Row extends { type: 'bool' }
    ? boolean
    : Row extends { type: 'enum'; values: readonly (infer Value)[] }
      ? Value
      : Row extends { type: 'list' }
        ? readonly string[]
        : Row extends { type: 'save' }
          ? readonly SavePoint[]
          : Row extends { type: 'output-limits' }
            ? Readonly<OutputLimits>
            : string;

/** One field for each typed directive: `maxmemory-policy` is `maxmemoryPolicy`. */
type ConfigFields = { -readonly [Row in TypedDirective as CamelCase<Row['name']>]: ValueOf<Row> };

export type Config = ConfigFields & {
  /** Absolute path of the configuration file; undefined where the server was started without one. */
  configFile: string | undefined;
  /** What `user` lines declare, in their order. */
  userSettings: readonly UserSetting[];
  /** Bytes that the shards reserved at start: the most that `maxmemory` can become. */
  maxmemoryReserved: number;
  /** The canonical text of every directive, as CONFIG GET answers it, under its primary name. */
  texts: Record<string, string>;
  /** The canonical text that every directive has when nobody sets it. */
  defaultTexts: Record<string, string>;
};

/** A `user` line: its words behind `user`, in UTF-8, and where it stands. */
export type UserSetting = { readonly place: string; readonly words: readonly string[] };

/** A change that was checked: primary name and canonical text. */
export type Change = [name: string, text: string];

const FIELD_OF = new Map<string, string>(TYPED_DIRECTIVES.map(({ name }) => [name, camelCase(name)]));

/** Both texts must name every directive. `maxmemory` is what the shards will reserve. */
export function createConfig(
  texts: Record<string, string>,
  defaultTexts: Record<string, string>,
  configFile: string | undefined,
  userSettings: readonly UserSetting[] = [],
): Config {
  const maxmemoryReserved = Number(texts.maxmemory);
  const blank = { configFile, userSettings, maxmemoryReserved, texts: {}, defaultTexts };
  // The loop below fills in every other field: one for each typed directive.
  const config = blank as unknown as Config;
  applyDirectives(
    config,
    DIRECTIVES.map(({ name }) => [name, texts[name]]),
  );
  return config;
}

/** Puts changes in force on this thread's copy. They come from prepareDirectives, here or on another thread. */
export function applyDirectives(config: Config, changes: readonly Change[]): void {
  const fields: Record<string, unknown> = config;
  for (const [name, text] of changes) {
    const directive = findDirective(name);
    assert(directive !== undefined && text !== undefined, `the change of '${name}' was prepared`);
    config.texts[directive.name] = text;
    const field = FIELD_OF.get(directive.name);
    if (field !== undefined) fields[field] = typedValue(directive, text);
  }
}

function camelCase(name: string): string {
  return name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}
