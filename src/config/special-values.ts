/**
 * The directives whose text has a grammar of its own: snapshot rules, output limits, key events, percentiles, OOM
 * scores, the address of a master. Same results and error texts as redis-server 7.0. Pure; any thread.
 */
import { parseMemoryExact } from '../base/units.ts';
import { INT_MAX, INT64_MAX, type Parsed, PORT_MAX } from './directive.ts';

/** A snapshot is due after `seconds` with at least `changes`. */
export type SavePoint = { seconds: number; changes: number };

/** A client is cut above `hardBytes`, or after `softSeconds` above `softBytes`. 0: no limit. */
type OutputLimit = { hardBytes: number; softBytes: number; softSeconds: number };
export type OutputLimits = { normal: OutputLimit; replica: OutputLimit; pubsub: OutputLimit };

const ALL_KEY_EVENTS = 'g$lshzxetd';
const FURTHER_KEY_EVENTS = 'KEm';
const OUTPUT_LIMIT_WORDS = 4;
const OUTPUT_CLASSES = ['normal', 'slave', 'pubsub'];
const OOM_SCORES = 3;
const OOM_SCORE_MAX = 2000;
const PERCENT_MAX = 100;
const PERCENTILE_DECIMALS = 6;

/** What strtoll reads whole: spaces and a sign in front are fine, and nothing at all is 0. */
const STRTOLL_PATTERN = /^\s*[+-]?\d+$/;
const DOUBLE_PATTERN = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** Pairs of seconds and changes; the empty text is no snapshots at all. */
export function parseSave(text: string): Parsed {
  if (text === '') return { text };
  const numbers = text.split(' ').map(strtoll);
  const bad = numbers.some((number, index) => number === undefined || number < (index % 2 === 0 ? 1 : 0));
  if (bad || numbers.length % 2 !== 0) return { problem: 'Invalid save parameters' };
  return { text: numbers.join(' ') };
}

export function readSavePoints(text: string): SavePoint[] {
  const numbers = text === '' ? [] : text.split(' ').map(Number);
  const points: SavePoint[] = [];
  for (let i = 0; i + 1 < numbers.length; i += 2) {
    points.push({ seconds: numbers[i], changes: numbers[i + 1] });
  }
  return points;
}

/** Groups of four words; classes that are not named keep what `previousText` (canonical, or empty) says. */
export function parseOutputLimits(text: string, previousText: string): Parsed {
  const words = text === '' ? [] : text.split(' ');
  if (words.length % OUTPUT_LIMIT_WORDS !== 0) {
    return { problem: 'Wrong number of arguments in buffer limit configuration.' };
  }
  const limits = new Map<string, string>(outputLimitGroups(previousText));
  for (let i = 0; i < words.length; i += OUTPUT_LIMIT_WORDS) {
    const outputClass = outputClassOf(words[i]);
    if (outputClass === undefined) {
      return { problem: 'Invalid client class specified in buffer limit configuration.' };
    }
    const hard = parseMemoryExact(words[i + 1]);
    const soft = parseMemoryExact(words[i + 2]);
    const seconds = strtoll(words[i + 3]);
    if (
      hard === undefined ||
      soft === undefined ||
      seconds === undefined ||
      seconds < 0 ||
      seconds > INT_MAX
    ) {
      return { problem: 'Error in hard, soft or soft_seconds setting in buffer limit configuration.' };
    }
    limits.set(outputClass, `${hard} ${soft} ${seconds}`);
  }
  const groups = OUTPUT_CLASSES.map((outputClass) => `${outputClass} ${limits.get(outputClass) ?? '0 0 0'}`);
  return { text: groups.join(' ') };
}

export function readOutputLimits(text: string): OutputLimits {
  const limits = new Map(outputLimitGroups(text));
  const limitOf = (outputClass: string): OutputLimit => {
    const [hardBytes, softBytes, softSeconds] = (limits.get(outputClass) ?? '0 0 0').split(' ').map(Number);
    return { hardBytes, softBytes, softSeconds };
  };
  return { normal: limitOf('normal'), replica: limitOf('slave'), pubsub: limitOf('pubsub') };
}

/** `normal 1 2 3 slave 4 5 6` as pairs of the class and the rest of its group. */
export function outputLimitGroups(text: string): [string, string][] {
  const words = text === '' ? [] : text.split(' ');
  const groups: [string, string][] = [];
  for (let i = 0; i < words.length; i += OUTPUT_LIMIT_WORDS) {
    groups.push([words[i], words.slice(i + 1, i + OUTPUT_LIMIT_WORDS).join(' ')]);
  }
  return groups;
}

/** CONFIG GET answers the older name of the replica class, so that is the canonical one. */
function outputClassOf(word: string): string | undefined {
  const lower = word.toLowerCase();
  if (lower === 'replica') return 'slave';
  return OUTPUT_CLASSES.includes(lower) ? lower : undefined;
}

/** redis-server answers the letters in an order of its own, and leaves `n` out next to `A`. */
export function parseKeyEvents(text: string): Parsed {
  const letters = new Set(text);
  for (const letter of letters) {
    if (!`A${ALL_KEY_EVENTS}${FURTHER_KEY_EVENTS}n`.includes(letter)) {
      return { problem: "Invalid event class character. Use 'Ag$lshzxeKEtmdn'." };
    }
  }
  const all = letters.has('A') || [...ALL_KEY_EVENTS].every((letter) => letters.has(letter));
  // redis-server tells of new keys where A and n are asked for, but its text forgets the n. This text is all there is.
  const classes = [...(all ? 'An' : `${ALL_KEY_EVENTS}n`)]
    .filter((letter) => letter === 'A' || letters.has(letter))
    .join('');
  return { text: classes + [...FURTHER_KEY_EVENTS].filter((letter) => letters.has(letter)).join('') };
}

export function parsePercentiles(text: string): Parsed {
  if (text === '') return { text };
  const shown: string[] = [];
  for (const word of text.split(' ')) {
    if (!DOUBLE_PATTERN.test(word))
      return { problem: 'Invalid latency-tracking-info-percentiles parameters' };
    const percentile = Number(word);
    if (percentile < 0 || percentile > PERCENT_MAX) {
      return { problem: 'latency-tracking-info-percentiles parameters should sit between [0.0,100.0]' };
    }
    shown.push(`${Number(percentile.toFixed(PERCENTILE_DECIMALS))}`);
  }
  return { text: shown.join(' ') };
}

export function parseOomScores(text: string): Parsed {
  const scores = text.split(' ').map(strtoll);
  if (scores.length !== OOM_SCORES) return { problem: 'wrong number of arguments' };
  if (scores.some((score) => score === undefined || score < -OOM_SCORE_MAX || score > OOM_SCORE_MAX)) {
    return { problem: 'Invalid oom-score-adj-values, elements must be between -2000 and 2000.' };
  }
  return { text: scores.join(' ') };
}

/** Host and port; `no one` is no master. The empty text is what CONFIG GET answers for none. */
export function parseMasterAddress(text: string): Parsed {
  if (text === '' || text.toLowerCase() === 'no one') return { text: '' };
  const words = text.split(' ');
  if (words.length !== 2) return { problem: 'wrong number of arguments' };
  const port = strtoll(words[1]);
  if (port === undefined || port < 0 || port > PORT_MAX) return { problem: 'Invalid master port' };
  return { text: `${words[0]} ${port}` };
}

function strtoll(text: string): bigint | undefined {
  if (text === '') return 0n;
  if (!STRTOLL_PATTERN.test(text)) return undefined;
  const value = BigInt(text.trim().replace('+', ''));
  return value > INT64_MAX ? INT64_MAX : value;
}
