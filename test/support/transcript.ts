/**
 * Golden transcripts: what is sent to a server, what must come back, and which counters that must change, and no others.
 *
 *   # a comment
 *   ! --maxkeys 4                               flags of the server, before the first case
 *   === a key that is missing counts as a miss  a case: its keyspace is empty, its connection as new
 *   >>> GET "a b\x00"                           one command; those in a row are sent together
 *   <<< $-1                                     one line of the answer, or a pattern of one between slashes
 *   +++ keyspace_misses_total 1                 by how much a metric changes, `distcache_` left out
 *
 * An empty line ends a block, and only then are the metrics read. A name before the marks is another connection (`b>>> PING`),
 * opened by its first use and closed by `b---`. `>>=` sends bytes as they are. Texts know the escapes of JSON and `\xNN`.
 *
 * Counters that a block does not name must stay as they are. Three need not be named: the bytes that go in and out, and the
 * commands, which are as many as the calls that the block names. Labels but for those in KEPT_LABELS are summed up.
 */
import { parsePrometheusText } from './prometheus-parser.ts';
import { requestBytes } from './request-bytes.ts';
import { openWire, type Wire } from './wire.ts';

type Step =
  | { readonly kind: 'send'; readonly name: string; readonly bytes: Buffer }
  | { readonly kind: 'expect'; readonly name: string; readonly line: string | RegExp }
  | { readonly kind: 'close'; readonly name: string };

type Block = {
  readonly lineNumber: number;
  readonly steps: Step[];
  readonly changes: Map<string, number>;
};

export type Case = { readonly title: string; readonly blocks: Block[] };

export type Transcript = { readonly flags: readonly string[]; readonly cases: readonly Case[] };

/** The connections of a case; `received` counts all bytes that came, `sent` those that went out, since the last look. */
export type Stage = {
  readonly port: number;
  readonly wires: Map<string, Wire>;
  received: number;
  sent: number;
};

/** Counters by name and kept labels, without `distcache_`. */
export type Counts = ReadonlyMap<string, { readonly value: number; readonly isCounter: boolean }>;

const PREFIX = 'distcache_';
/** What tells commands and errors apart stays apart. */
const KEPT_LABELS = ['command', 'prefix'];
/** These move by themselves, or as the machine pleases. */
const MOVING = [
  /_seconds_total\b/,
  /^(turns|reads|writes)_total$/,
  /^process_/,
  /^http_/,
  /^shard_(lock_waits|lock_contended|compacted_entries)_total$/,
];

const LINE = /^(\w*)(>>>|>>=|<<<|---|\+\+\+)(?: (.*))?$/;
const CHANGE = /^(\S+) ([+-]?\d+(?:\.\d+)?)$/;
const WORD = /\s*(?:"((?:[^"\\]|\\.)*)"|(\S+))/y;

/** Throws with the number of a line that cannot be read. */
export function parseTranscript(text: string): Transcript {
  const flags: string[] = [];
  const cases: Case[] = [];
  let block: Block | undefined;
  for (const [index, line] of text.split('\n').entries()) {
    const lineNumber = index + 1;
    if (line.startsWith('#')) continue;
    if (line.trim() === '') {
      block = undefined;
    } else if (line.startsWith('! ') && cases.length === 0) {
      flags.push(...wordsOf(line.slice(2)));
    } else if (line.startsWith('=== ')) {
      cases.push({ title: line.slice(4), blocks: [] });
      block = undefined;
    } else {
      const blocks = cases.at(-1)?.blocks;
      if (blocks === undefined) throw new Error(`line ${lineNumber} is in no case: ${line}`);
      if (block === undefined) {
        block = { lineNumber, steps: [], changes: new Map() };
        blocks.push(block);
      }
      addLine(block, line, lineNumber);
    }
  }
  return { flags, cases };
}

function addLine(block: Block, line: string, lineNumber: number): void {
  const [, name, mark, text = ''] = LINE.exec(line) ?? [];
  const change = mark === '+++' ? CHANGE.exec(text) : undefined;
  if (mark === undefined || change === null) throw new Error(`line ${lineNumber} cannot be read: ${line}`);
  if (change !== undefined) {
    block.changes.set(change[1], Number(change[2]));
  } else if (mark === '>>>') {
    block.steps.push({ kind: 'send', name, bytes: requestBytes(...wordsOf(text).map(toBytes)) });
  } else if (mark === '>>=') {
    block.steps.push({ kind: 'send', name, bytes: toBytes(unescaped(text)) });
  } else if (mark === '<<<') {
    const isPattern = text.length > 2 && text.startsWith('/') && text.endsWith('/');
    const expected = isPattern ? new RegExp(`^${text.slice(1, -1)}$`) : unescaped(text);
    block.steps.push({ kind: 'expect', name, line: expected });
  } else {
    block.steps.push({ kind: 'close', name });
  }
}

function wordsOf(text: string): string[] {
  const words: string[] = [];
  WORD.lastIndex = 0;
  for (let match = WORD.exec(text); match !== null; match = WORD.exec(text)) {
    words.push(match[1] === undefined ? match[2] : unescaped(match[1]));
  }
  return words;
}

/** One character per byte. */
function unescaped(text: string): string {
  return text.replace(/\\(?:x([0-9a-f]{2})|(.))/g, (_, hex, letter) => {
    if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
    return { r: '\r', n: '\n', t: '\t' }[letter as string] ?? letter;
  });
}

function toBytes(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

export function createStage(port: number): Stage {
  return { port, wires: new Map(), received: 0, sent: 0 };
}

/** Sends what the block sends and compares what comes back, line by line. Throws where they differ. */
export async function playBlock(stage: Stage, block: Block): Promise<void> {
  stage.received = 0;
  stage.sent = 0;
  for (const step of block.steps) {
    if (step.kind === 'close') {
      stage.wires.get(step.name)?.close();
      stage.wires.delete(step.name);
      continue;
    }
    const wire = await wireOf(stage, step.name);
    if (step.kind === 'send') {
      wire.socket.write(step.bytes);
      stage.sent += step.bytes.length;
    } else {
      await expectLine(stage, wire, step.line, block.lineNumber);
    }
  }
}

/** The connection of that name; one that was closed is opened anew. */
async function wireOf(stage: Stage, name: string): Promise<Wire> {
  const known = stage.wires.get(name);
  if (known !== undefined && !known.socket.destroyed) return known;
  const wire = await openWire(stage.port);
  stage.wires.set(name, wire);
  return wire;
}

/** A line may hold line ends of its own, inside of a bulk string. */
async function expectLine(stage: Stage, wire: Wire, expected: string | RegExp, at: number): Promise<void> {
  const lines = typeof expected === 'string' ? expected.split('\r\n').length : 1;
  const parts: string[] = [];
  for (let i = 0; i < lines; i += 1) parts.push(await wire.line());
  const line = parts.join('\r\n');
  stage.received += line.length + 2;
  const isRight = typeof expected === 'string' ? line === expected : expected.test(line);
  if (!isRight) throw new Error(`block of line ${at}: expected ${expected}, but got ${JSON.stringify(line)}`);
}

/** What has changed otherwise than the block says; empty where all is right. A server that counts less is asked for less. */
export function wrongChanges(block: Block, stage: Stage, before: Counts, after: Counts): string[] {
  const expected = new Map<string, number>([
    ['received_bytes_total', stage.sent],
    ['sent_bytes_total', stage.received],
    ['commands_total', callsOf(block)],
  ]);
  for (const [name, change] of block.changes) expected.set(name, change);
  const isOurs = after.has('received_bytes_total');
  const wrong: string[] = [];
  for (const name of new Set([...before.keys(), ...after.keys(), ...expected.keys()])) {
    const count = after.get(name) ?? before.get(name);
    const wanted = expected.get(name);
    if (count === undefined && !isOurs) continue;
    const isWatched = count?.isCounter === true && !MOVING.some((pattern) => pattern.test(name));
    if (wanted === undefined && !isWatched) continue;
    const change = (after.get(name)?.value ?? 0) - (before.get(name)?.value ?? 0);
    if (change !== (wanted ?? 0)) wrong.push(`${name} changes by ${change} instead of ${wanted ?? 0}`);
  }
  return wrong;
}

function callsOf({ changes }: Block): number {
  let calls = 0;
  for (const [name, change] of changes) if (name.startsWith('command_calls_total{')) calls += change;
  return calls;
}

/** A server that asks for no password takes any. */
export async function readCounts(httpPort: number, password: string): Promise<Counts> {
  const headers = { Authorization: `Bearer ${password}` };
  return countsOf(await (await fetch(`http://127.0.0.1:${httpPort}/metrics`, { headers })).text());
}

/** Of families that are no plain counters or gauges, nothing. */
export function countsOf(text: string): Counts {
  const counts = new Map<string, { value: number; isCounter: boolean }>();
  for (const { name, type, samples } of parsePrometheusText(text).values()) {
    if (!name.startsWith(PREFIX) || (type !== 'counter' && type !== 'gauge')) continue;
    for (const { labels, value } of samples) {
      const kept = KEPT_LABELS.filter((label) => label in labels);
      const pairs = kept.map((label) => `${label}="${labels[label]}"`).join(',');
      const key = `${name.slice(PREFIX.length)}${pairs === '' ? '' : `{${pairs}}`}`;
      counts.set(key, { value: (counts.get(key)?.value ?? 0) + value, isCounter: type === 'counter' });
    }
  }
  return counts;
}
