/**
 * The values of directives: from the text that a user writes to the canonical text that CONFIG GET answers, what
 * is wrong in redis-server's words, and from canonical text to the typed value. Pure; any thread.
 */
import { parseMemoryExact } from '../base/units.ts';
import { type Directive, INT64_MAX, type Parsed } from './directive.ts';
import {
  type OutputLimits,
  parseKeyEvents,
  parseMasterAddress,
  parseOomScores,
  parseOutputLimits,
  parsePercentiles,
  parseSave,
  readOutputLimits,
  readSavePoints,
  type SavePoint,
} from './special-values.ts';

type TypedValue =
  | number
  | boolean
  | string
  | readonly string[]
  | readonly SavePoint[]
  | Readonly<OutputLimits>;

const INT64_MIN = -(2n ** 63n);
const INTEGER_PATTERN = /^(0|-?[1-9]\d{0,18})$/;
const OCTAL_PATTERN = /^[0-7]{1,12}$/;
const PERCENT_PATTERN = /^(0|[1-9]\d{0,17})%$/;

/**
 * `text` as CONFIG SET takes it (several words with one space between). `previousText` is the present canonical
 * text, which output limits are merged into.
 */
export function parseDirectiveValue(directive: Directive, text: string, previousText: string): Parsed {
  switch (directive.type) {
    case 'int':
      return parseInteger(directive, text);
    case 'octal':
      return parseOctal(directive, text);
    case 'memory':
      return parseMemoryValue(directive, text);
    case 'memory-or-percent':
      return parseMemoryOrPercent(directive, text);
    case 'bool':
      return parseBool(text);
    case 'enum':
      return parseEnum(directive, text);
    case 'flags':
      return parseFlags(directive, text);
    case 'string':
      return parseString(directive, text);
    case 'list':
      return { text };
    case 'save':
      return parseSave(text);
    case 'output-limits':
      return parseOutputLimits(text, previousText);
    case 'key-events':
      return parseKeyEvents(text);
    case 'percentiles':
      return parsePercentiles(text);
    case 'oom-scores':
      return parseOomScores(text);
    case 'master-address':
      return parseMasterAddress(text);
  }
}

/** The value of a canonical text. Integers beyond 2^53 lose their last digits here, not in the text. */
export function typedValue(directive: Directive, text: string): TypedValue {
  switch (directive.type) {
    case 'int':
    case 'memory':
      return Number(text);
    case 'octal':
      return Number.parseInt(text, 8);
    case 'bool':
      return text === 'yes';
    case 'list':
      return text === '' ? [] : text.split(' ');
    case 'save':
      return readSavePoints(text);
    case 'output-limits':
      return readOutputLimits(text);
    default:
      return text;
  }
}

/** Whether the directive takes several words, which a file writes without quotes. */
export function takesWords(directive: Directive): boolean {
  switch (directive.type) {
    case 'flags':
    case 'list':
    case 'save':
    case 'output-limits':
    case 'percentiles':
    case 'oom-scores':
    case 'master-address':
      return true;
    default:
      return false;
  }
}

function parseInteger(directive: Directive, text: string): Parsed {
  const value = integerOf(text);
  if (value === undefined) return { problem: "argument couldn't be parsed into an integer" };
  return withinRange(directive, value, value.toString());
}

/** redis-server reads integers with string2ll: no plus sign, no leading zeros, no spaces, 64 bits. */
function integerOf(text: string): bigint | undefined {
  if (!INTEGER_PATTERN.test(text)) return undefined;
  const value = BigInt(text);
  return value < INT64_MIN || value > INT64_MAX ? undefined : value;
}

function parseOctal(directive: Directive, text: string): Parsed {
  if (!OCTAL_PATTERN.test(text)) return { problem: "argument couldn't be parsed as an octal number" };
  const value = BigInt(`0o${text}`);
  return withinRange(directive, value, value.toString(8));
}

function parseMemoryValue(directive: Directive, text: string): Parsed {
  const value = parseMemoryExact(text);
  if (value === undefined) return { problem: 'argument must be a memory value' };
  return withinRange(directive, value, value.toString());
}

function parseMemoryOrPercent(directive: Directive, text: string): Parsed {
  if (PERCENT_PATTERN.test(text)) {
    const percentMax = -Number(directive.min);
    if (Number(text.slice(0, -1)) <= percentMax) return { text: text === '0%' ? '0' : text };
    return { problem: `percentage argument must be less or equal to ${percentMax}` };
  }
  const value = parseMemoryExact(text);
  if (value === undefined) return { problem: 'argument must be a memory or percent value' };
  return withinRange(directive, value, value.toString());
}

function withinRange(directive: Directive, value: bigint, canonical: string): Parsed {
  const min = BigInt(directive.min ?? INT64_MIN);
  const max = BigInt(directive.max ?? INT64_MAX);
  if (value >= min && value <= max) return { text: canonical };
  const radix = directive.type === 'octal' ? 8 : 10;
  return { problem: `argument must be between ${min.toString(radix)} and ${max.toString(radix)} inclusive` };
}

function parseBool(text: string): Parsed {
  const lower = text.toLowerCase();
  return lower === 'yes' || lower === 'no' ? { text: lower } : { problem: "argument must be 'yes' or 'no'" };
}

function parseEnum(directive: Directive, text: string): Parsed {
  const value = directive.values?.find((allowed) => allowed === text.toLowerCase());
  return value === undefined ? { problem: notOneOf(directive) } : { text: value };
}

/** Flags are answered in the order of the table, the neutral first one only where there is no other. */
function parseFlags(directive: Directive, text: string): Parsed {
  const values = directive.values ?? [];
  const words = new Set(text.toLowerCase().split(' '));
  for (const word of words) if (!values.includes(word)) return { problem: notOneOf(directive) };
  if (words.has('save') && words.has('nosave')) {
    return { problem: "shutdown options SAVE and NOSAVE can't be used simultaneously" };
  }
  const [neutral, ...flags] = values;
  return { text: flags.filter((flag) => words.has(flag)).join(' ') || neutral };
}

function notOneOf(directive: Directive): string {
  return `argument(s) must be one of the following: ${directive.values?.join(', ')}`;
}

function parseString(directive: Directive, text: string): Parsed {
  const problem = directive.check?.(text);
  return problem === undefined ? { text } : { problem };
}
