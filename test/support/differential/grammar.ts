/**
 * Commands from lines of a small grammar, with chance as an argument.
 *
 *   6 HSET key (field value)+          weight, then what the command consists of
 *   2 SET key value [ NX | XX ] [ GET ]
 *
 * Words in lower case are drawn, others stand for themselves; `[ ]` may be left out, `|` parts alternatives, `( )` groups; `+` repeats
 * what stands before it a few times, `*` as often as the program's bulk commands do.
 */
import type { Random } from '../seeded-random.ts';

export type Argument = string | Buffer;
export type Command = readonly Argument[];

/** What stands for the words in lower case. */
export type Words<Draw> = Readonly<Record<string, (draw: Draw) => Argument | readonly Argument[]>>;

/** What is needed to draw: chance, and how often `+` and `*` repeat at most. */
export type Source = { readonly random: Random; readonly few: number; readonly bulk: number };

type Part<Draw> = (draw: Draw, command: Argument[]) => void;

export type Grammar<Draw> = { readonly weights: readonly number[]; readonly lines: readonly Part<Draw>[] };

type Reader<Draw> = { readonly tokens: readonly string[]; at: number; readonly words: Words<Draw> };

const TOKEN_PATTERN = /[[\]()|+*]|[^\s[\]()|+*]+/g;
const DRAWN_PATTERN = /^[a-z]/;

/** The commands of these lines. Throws where one names a word that is not there. */
export function createGrammar<Draw extends Source>(text: string, words: Words<Draw>): Grammar<Draw> {
  const weights: number[] = [];
  const lines: Part<Draw>[] = [];
  for (const line of text.trim().split('\n')) {
    const [weight, ...tokens] = line.match(TOKEN_PATTERN) ?? [];
    const reader = { tokens, at: 0, words };
    weights.push(Number(weight));
    lines.push(readChoice(reader));
    if (reader.at !== tokens.length || Number.isNaN(Number(weight))) throw new Error(`no command: ${line}`);
  }
  return { weights, lines };
}

/** One command, each line as often as its weight says. */
export function drawCommand<Draw extends Source>({ weights, lines }: Grammar<Draw>, draw: Draw): Argument[] {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let left = draw.random(total);
  const index = weights.findIndex((weight) => {
    left -= weight;
    return left < 0;
  });
  const command: Argument[] = [];
  lines[index](draw, command);
  return command;
}

function readChoice<Draw extends Source>(reader: Reader<Draw>): Part<Draw> {
  const choices = [readSequence(reader)];
  while (reader.tokens[reader.at] === '|') {
    reader.at += 1;
    choices.push(readSequence(reader));
  }
  if (choices.length === 1) return choices[0];
  return (draw, command) => choices[draw.random(choices.length)](draw, command);
}

function readSequence<Draw extends Source>(reader: Reader<Draw>): Part<Draw> {
  const parts: Part<Draw>[] = [];
  while (reader.at < reader.tokens.length && !'])|'.includes(reader.tokens[reader.at])) {
    parts.push(readRepeated(reader));
  }
  return (draw, command) => {
    for (const part of parts) part(draw, command);
  };
}

function readRepeated<Draw extends Source>(reader: Reader<Draw>): Part<Draw> {
  const part = readOne(reader);
  const sign = reader.tokens[reader.at];
  if (sign !== '+' && sign !== '*') return part;
  reader.at += 1;
  return (draw, command) => {
    const count = 1 + draw.random(sign === '+' ? draw.few : draw.bulk);
    for (let times = 0; times < count; times += 1) part(draw, command);
  };
}

function readOne<Draw extends Source>(reader: Reader<Draw>): Part<Draw> {
  const token = reader.tokens[reader.at];
  reader.at += 1;
  if (token === '[' || token === '(') {
    const inner = readChoice(reader);
    reader.at += 1;
    if (token === '(') return inner;
    return (draw, command) => {
      if (draw.random(3) === 0) inner(draw, command);
    };
  }
  if (!DRAWN_PATTERN.test(token)) return (_draw, command) => void command.push(token);
  const word = reader.words[token];
  if (word === undefined) throw new Error(`no such word: ${token}`);
  return (draw, command) => {
    const drawn = word(draw);
    if (typeof drawn === 'string' || Buffer.isBuffer(drawn)) command.push(drawn);
    else command.push(...drawn);
  };
}
