/** All that a server holds, in a form in which two servers can be compared: by database and key the type, encoding, deadline and contents. */
import { replyTree, type Tree } from '../replies.ts';
import type { Conversation } from './conversation.ts';
import type { Command } from './grammar.ts';

export type Contents = ReadonlyMap<string, KeyContent>;

type KeyContent = { readonly encoding: string; readonly deadlineMs: number; readonly content: string };

const DATABASES = ['0', '1'];
/** How far two clocks may put the same deadline apart. */
const TOLERANCE_MS = 5000;
const STRING_ENCODING_PATTERN = /\b(?:int|embstr|raw)\b/;

const READING: Readonly<Record<string, (key: Buffer) => Command>> = {
  string: (key) => ['GET', key],
  list: (key) => ['LRANGE', key, '0', '-1'],
  set: (key) => ['SMEMBERS', key],
  zset: (key) => ['ZRANGE', key, '0', '-1', 'WITHSCORES'],
  hash: (key) => ['HGETALL', key],
};

/** Reads everything, over a connection in the protocol RESP2; database 0 is chosen then. */
export async function readContents(conversation: Conversation): Promise<Contents> {
  const contents = new Map<string, KeyContent>();
  for (const database of DATABASES) {
    const [, listed] = await conversation.ask([
      ['SELECT', database],
      ['KEYS', '*'],
    ]);
    const keys = bulksOf(replyTree(listed)).sort(Buffer.compare);
    for (const key of keys)
      contents.set(`${database}/${key.toString('latin1')}`, await readKey(conversation, key));
  }
  await conversation.ask([['SELECT', '0']]);
  return contents;
}

/** The first difference in words, undefined where there is none. */
export function contentsDifference(ours: Contents, theirs: Contents): string | undefined {
  for (const key of new Set([...ours.keys(), ...theirs.keys()])) {
    const [our, their] = [ours.get(key), theirs.get(key)];
    if (our === undefined || their === undefined) return `${key} is only in ${our ? 'ours' : 'theirs'}`;
    if (!isSameEncoding(our.encoding, their.encoding))
      return `${key} is ${our.encoding}, there ${their.encoding}`;
    if (Math.abs(our.deadlineMs - their.deadlineMs) > TOLERANCE_MS)
      return `${key} is until ${our.deadlineMs}, there ${their.deadlineMs}`;
    if (our.content !== their.content) return `${key}: ${firstDifference(our.content, their.content)}`;
  }
  return undefined;
}

/** Of names or of replies. How a string is encoded hangs on what touched it last: redis-server's own affair. */
export function isSameEncoding(ours: string, theirs: string): boolean {
  return ours === theirs || (STRING_ENCODING_PATTERN.test(ours) && STRING_ENCODING_PATTERN.test(theirs));
}

async function readKey(conversation: Conversation, key: Buffer): Promise<KeyContent> {
  const [type, encoding, deadline] = await conversation.ask([
    ['TYPE', key],
    ['OBJECT', 'ENCODING', key],
    ['PEXPIRETIME', key],
  ]);
  const name = type.slice(1, -2);
  const read = READING[name];
  const [reply] = read === undefined ? [''] : await conversation.ask([read(key)]);
  const isOrdered = name !== 'set' && name !== 'hash';
  const content = isOrdered ? reply : JSON.stringify(withoutOrder(replyTree(reply), name === 'hash' ? 2 : 1));
  return { encoding: `${name} ${encoding.split('\r\n')[1]}`, deadlineMs: Number(deadline.slice(1)), content };
}

function withoutOrder(tree: Tree, together: number): string[] {
  if (typeof tree === 'string') return [tree];
  const groups: string[] = [];
  for (let at = 0; at < tree.items.length; at += together) {
    groups.push(JSON.stringify(tree.items.slice(at, at + together)));
  }
  return groups.sort();
}

function bulksOf(tree: Tree): Buffer[] {
  if (typeof tree !== 'string') return tree.items.flatMap(bulksOf);
  return [Buffer.from(tree.slice(tree.indexOf('\r\n') + 2, -2), 'latin1')];
}

function firstDifference(ours: string, theirs: string): string {
  let at = 0;
  while (at < ours.length && ours[at] === theirs[at]) at += 1;
  const part = (text: string) => JSON.stringify(text.slice(Math.max(0, at - 40), at + 60));
  return `${ours.length} and ${theirs.length} characters, which differ at ${at}: ${part(ours)} and ${part(theirs)}`;
}
