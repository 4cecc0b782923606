/** Runs a program on this server and on redis-server, in batches over one connection each, and tells of the first difference. */
import { until } from '../until.ts';
import { type Contents, contentsDifference, readContents } from './contents.ts';
import { type Conversation, openConversation } from './conversation.ts';
import type { Command } from './grammar.ts';
import { commandsForRedis, createJudge, type Judge, judgeExchange } from './judge.ts';
import type { Program } from './program.ts';

/** The servers, and what is done to this one in between. */
export type Pair = {
  readonly ourPort: () => number;
  readonly theirPort: number;
  /** Called between batches, with how many commands have run; true where the connection to this server is a new one by now. */
  readonly disturb?: (commandCount: number) => Promise<boolean>;
};

export type Difference = {
  readonly text: string;
  /** The unit after which it was seen. */
  readonly unit: number;
  readonly command: Command;
  readonly reply: string;
  readonly asked: readonly Command[];
  readonly answers: readonly string[];
};

type Talk = { ours: Conversation; readonly theirs: Conversation };

const UNITS_PER_BATCH = 200;
const UNITS_PER_COMPARISON = 1000;
const EXPIRY_MS_MAX = 10_000;
const NO_COMMAND = { command: [], reply: '', asked: [], answers: [] };

/** Undefined where every reply and all contents agree. `onBatch` is told how many commands have run since the last time. */
export async function runProgram(
  pair: Pair,
  program: Program,
  onBatch: (commandCount: number) => void = () => {},
): Promise<Difference | undefined> {
  const talk: Talk = {
    ours: await openConversation(pair.ourPort()),
    theirs: await openConversation(pair.theirPort),
  };
  try {
    await begin(talk, program);
    return await runUnits(pair, talk, program, onBatch);
  } finally {
    talk.ours.close();
    talk.theirs.close();
  }
}

async function begin(talk: Talk, { protocol, settings }: Program): Promise<void> {
  const before: Command[] = [
    ['FLUSHALL'],
    ...settings.map(([name, value]) => ['CONFIG', 'SET', name, value]),
  ];
  for (const conversation of [talk.ours, talk.theirs]) {
    const replies = await conversation.ask([...before, ['HELLO', `${protocol}`]]);
    const refused = replies.slice(0, -1).find((reply) => reply !== '+OK\r\n');
    if (refused !== undefined) throw new Error(`a server does not begin: ${refused}`);
  }
}

async function runUnits(
  pair: Pair,
  talk: Talk,
  program: Program,
  onBatch: (commandCount: number) => void,
): Promise<Difference | undefined> {
  const { units, isOrdered } = program;
  const judge = createJudge(isOrdered);
  for (let start = 0; start < units.length; start += UNITS_PER_BATCH) {
    const end = Math.min(units.length, start + UNITS_PER_BATCH);
    const batch = units
      .slice(start, end)
      .flatMap((unit, at) => unit.map((command) => ({ command, unit: start + at })));
    const difference = await runBatch(talk, judge, batch);
    if (difference !== undefined) return difference;
    await expireOne(talk, program.keys[(start / UNITS_PER_BATCH) % program.keys.length]);
    const isNew = (await pair.disturb?.(batch.length)) ?? false;
    if (isNew) talk.ours = await openConversation(pair.ourPort());
    if (
      isNew ||
      end === units.length ||
      Math.floor(start / UNITS_PER_COMPARISON) < Math.floor(end / UNITS_PER_COMPARISON)
    ) {
      const text = await compareContents(talk, program);
      if (text !== undefined) return { ...NO_COMMAND, text, unit: end - 1 };
    }
    onBatch(batch.length);
  }
  return undefined;
}

async function runBatch(
  talk: Talk,
  judge: Judge,
  batch: readonly { readonly command: Command; readonly unit: number }[],
): Promise<Difference | undefined> {
  const replies = await talk.ours.ask(batch.map(({ command }) => command));
  const asked = batch.map(({ command }, at) => commandsForRedis(command, replies[at]));
  const answers = await talk.theirs.ask(asked.flat());
  let from = 0;
  for (const [at, { command, unit }] of batch.entries()) {
    const exchange = {
      command,
      reply: replies[at],
      asked: asked[at],
      answers: answers.slice(from, from + asked[at].length),
    };
    from += asked[at].length;
    const text = judgeExchange(judge, exchange);
    if (text !== undefined) return { ...exchange, text, unit };
  }
  return undefined;
}

/** Lets the time of a key run out in both. */
async function expireOne({ ours, theirs }: Talk, key: string): Promise<void> {
  for (const conversation of [ours, theirs]) {
    const isGone = async () => {
      const [reply] = await conversation.ask([['EXISTS', key]]);
      return reply === ':0\r\n';
    };
    await conversation.ask([['PEXPIRE', key, '1']]);
    await until(isGone, { what: () => `${key} does not expire`, msMax: EXPIRY_MS_MAX });
  }
}

/** Both connections are in database 0 and the program's protocol then. */
async function compareContents({ ours, theirs }: Talk, { protocol }: Program): Promise<string | undefined> {
  const [ourContents, theirContents]: Contents[] = [await readAll(ours), await readAll(theirs)];
  for (const conversation of [ours, theirs]) await conversation.ask([['HELLO', `${protocol}`]]);
  return contentsDifference(ourContents, theirContents);
}

async function readAll(conversation: Conversation): Promise<Contents> {
  await conversation.ask([['DISCARD'], ['HELLO', '2']]);
  return readContents(conversation);
}
