/**
 * What redis-server is asked for a command and this server's reply, and whether the replies agree.
 *
 * The order of sets and large hashes is each server's own affair; deadlines may be some seconds apart; what is drawn at random here must
 * be there, and what is taken at random here is taken there too, so that both go on with the same.
 */
import { compareTrees, replyTree, type Tree } from '../replies.ts';
import { isSameEncoding } from './contents.ts';
import type { Argument, Command } from './grammar.ts';

export type Exchange = {
  readonly command: Command;
  readonly reply: string;
  /** What the other server was asked for it, and its replies. */
  readonly asked: readonly Command[];
  readonly answers: readonly string[];
};

/** What the servers have queued since MULTI. */
export type Judge = { readonly isOrdered: boolean; queued: Command[] };

/** Replies without an order, and how many of their items belong together. */
const UNORDERED: Readonly<Record<string, number>> = {
  SMEMBERS: 1,
  SINTER: 1,
  SUNION: 1,
  SDIFF: 1,
  KEYS: 1,
  SCAN: 1,
  SSCAN: 1,
  SORT: 1,
  SORT_RO: 1,
  HKEYS: 1,
  HVALS: 1,
  HGETALL: 2,
  HSCAN: 2,
  ZSCAN: 2,
};
const ORDERED_HASHES = ['HKEYS', 'HVALS', 'HGETALL'];
/** How far the same deadline may be apart, by the unit of the reply. */
const NEAR: Readonly<Record<string, number>> = { TTL: 5, EXPIRETIME: 5, PTTL: 5000, PEXPIRETIME: 5000 };
/** What tells which of some elements a key has. */
const FINDING: Readonly<Record<string, string>> = {
  SRANDMEMBER: 'SMISMEMBER',
  HRANDFIELD: 'HMGET',
  ZRANDMEMBER: 'ZMSCORE',
  RANDOMKEY: 'EXISTS',
};
const QUEUED = '+QUEUED\r\n';

export function createJudge(isOrdered: boolean): Judge {
  return { isOrdered, queued: [] };
}

/** What redis-server is to be asked, once this server has replied. */
export function commandsForRedis(command: Command, reply: string): readonly Command[] {
  const name = nameOf(command);
  if (name !== 'SPOP' && FINDING[name] === undefined) return [command];
  const drawn = drawnOf(command, reply);
  if (drawn.length === 0) return [command];
  if (name === 'SPOP')
    return [
      ['SCARD', command[1]],
      ['SREM', command[1], ...drawn],
    ];
  const key = name === 'RANDOMKEY' ? [] : [command[1]];
  return [command, [FINDING[name], ...key, ...drawn]];
}

/** What is wrong, undefined where the replies agree. */
export function judgeExchange(
  judge: Judge,
  { command, reply, asked, answers }: Exchange,
): string | undefined {
  const name = nameOf(command);
  if (name === 'SPOP' && asked.length > 1) return judgePopped(command, reply, answers);
  if (asked.length > 1) return judgeDrawn(command, reply, answers);
  if (reply === QUEUED && answers[0] === QUEUED) {
    judge.queued.push(command);
    return undefined;
  }
  const queued = judge.queued;
  if (name === 'EXEC' || name === 'DISCARD') judge.queued = [];
  if (reply === answers[0]) return undefined;
  if (name !== 'EXEC') return agree(judge, command, reply, answers[0]) ? undefined : 'the replies differ';
  return judgeTransaction(judge, queued, replyTree(reply), replyTree(answers[0]));
}

function judgeTransaction(
  judge: Judge,
  queued: readonly Command[],
  ours: Tree,
  theirs: Tree,
): string | undefined {
  if (typeof ours === 'string' || typeof theirs === 'string') return 'the replies differ';
  const index = queued.findIndex((command, at) => {
    const [our, their] = [rawOf(ours.items[at]), rawOf(theirs.items[at])];
    return our !== their && !agree(judge, command, our, their);
  });
  return index < 0 ? undefined : `the replies to ${nameOf(queued[index])} differ`;
}

function agree({ isOrdered }: Judge, command: Command, ours: string, theirs: string): boolean {
  if (ours === theirs) return true;
  const name = nameOf(command);
  if (NEAR[name] !== undefined && ours[0] === ':' && theirs[0] === ':') {
    const [our, their] = [Number(ours.slice(1)), Number(theirs.slice(1))];
    return our >= 0 && their >= 0 && Math.abs(our - their) <= NEAR[name];
  }
  if (name === 'OBJECT') return isSameEncoding(ours, theirs);
  const together = UNORDERED[name];
  if (together === undefined || (isOrdered && ORDERED_HASHES.includes(name))) return false;
  if (name.startsWith('SORT')) return agreeOnSorted(command, replyTree(ours), replyTree(theirs));
  const [our, their] = [sortedGroups(name, ours, together), sortedGroups(name, theirs, together)];
  return our.length === their.length && our.every((group, at) => group === their[at]);
}

/** Only BY leaves an order open; with LIMIT, also which elements come. */
function agreeOnSorted(command: Command, ours: Tree, theirs: Tree): boolean {
  if (typeof ours === 'string' || typeof theirs === 'string') return false;
  const options = command.map((argument) => String(argument).toUpperCase());
  if (!options.includes('BY')) return false;
  if (options.includes('LIMIT')) return ours.items.length === theirs.items.length;
  return compareTrees(sorted(ours, 1), sorted(theirs, 1)) === 0;
}

/** The items of a flat reply, those that belong together in one text, sorted; of a scan behind the cursor, which comes first. */
function sortedGroups(name: string, reply: string, together: number): string[] {
  const isScan = name.endsWith('SCAN') && reply[0] === '*';
  const start = isScan ? reply.indexOf('\r\n', reply.indexOf('\r\n$') + 3) + 2 : 0;
  const listStart = isScan ? reply.indexOf('\r\n', start) + 2 : 0;
  const items = leavesOf(reply, listStart);
  const groups: string[] = [];
  for (let at = 0; at < items.length; at += together) groups.push(items.slice(at, at + together).join(''));
  return [reply.slice(0, listStart), ...groups.sort()];
}

/** The leaves of the flat aggregate that starts there, as they came; of anything else the whole. */
function leavesOf(reply: string, start: number): string[] {
  if (!'*~%'.includes(reply[start])) return [reply];
  const leaves: string[] = [];
  let at = reply.indexOf('\r\n', start) + 2;
  while (at < reply.length) {
    const lineEnd = reply.indexOf('\r\n', at) + 2;
    const bytes = reply[at] === '$' ? Number(reply.slice(at + 1, lineEnd - 2)) : -1;
    const end = bytes < 0 ? lineEnd : lineEnd + bytes + 2;
    leaves.push(reply.slice(at, end));
    at = end;
  }
  return leaves;
}

function sorted(tree: Tree, together: number): Tree {
  if (typeof tree === 'string' || tree.kind === '%') return tree;
  const items: Tree[] = [];
  for (let at = 0; at < tree.items.length; at += together) {
    items.push({ kind: 'together', items: tree.items.slice(at, at + together) });
  }
  return { kind: tree.kind, items: items.sort(compareTrees) };
}

function judgePopped(
  command: Command,
  reply: string,
  [size, removed]: readonly string[],
): string | undefined {
  const popped = drawnOf(command, reply).length;
  const wanted = command.length > 2 ? Number(command[2]) : 1;
  if (removed !== `:${popped}\r\n`) return `${popped} members were popped that are not all in the set`;
  const expected = Math.min(wanted, Number(size.slice(1)));
  return popped === expected ? undefined : `${popped} members were popped of ${expected}`;
}

function judgeDrawn(command: Command, reply: string, [answer, found]: readonly string[]): string | undefined {
  const drawn = drawnOf(command, reply);
  const there = replyTree(found);
  const items = typeof there === 'string' ? [there] : there.items;
  if (items.some((item) => item === ':0\r\n' || item === '$-1\r\n' || item === '_\r\n')) {
    return 'what was drawn is not there';
  }
  if (
    Number(command[2] ?? 0) > 0 &&
    new Set(drawn.map((text) => text.toString('latin1'))).size < drawn.length
  ) {
    return 'what was drawn is there twice';
  }
  const [ours, theirs] = [replyTree(reply), replyTree(answer)];
  if (JSON.stringify(shapeOf(ours)) !== JSON.stringify(shapeOf(theirs)))
    return 'the replies have other forms';
  const isPaired = command.length > 3;
  const worths = isPaired ? textsOf(ours).filter((_, at) => at % 2 === 1) : [];
  const isSame = worths.every((worth, at) => contentOf(worth) === contentOf(items[at]));
  return isSame ? undefined : 'what was drawn has other values';
}

/** The elements that a reply of chance has, without their values. */
function drawnOf(command: Command, reply: string): Buffer[] {
  const texts = textsOf(replyTree(reply)).filter((text) => !text.startsWith('$-1'));
  const together = command.length > 3 ? 2 : 1;
  return texts.filter((_, at) => at % together === 0).map((text) => Buffer.from(contentOf(text), 'latin1'));
}

/** The leaves of a reply that are no errors. */
function textsOf(tree: Tree): string[] {
  if (typeof tree !== 'string') return tree.items.flatMap(textsOf);
  return '$,:'.includes(tree[0]) ? [tree] : [];
}

function contentOf(leaf: Tree): string {
  const text = typeof leaf === 'string' ? leaf : '';
  return text[0] === '$' ? text.slice(text.indexOf('\r\n') + 2, -2) : text.slice(1, -2);
}

/** Texts and numbers are what was drawn. */
function shapeOf(tree: Tree): Tree {
  if (typeof tree === 'string') return /^(?:,|:|\$(?!-1))/.test(tree) ? tree[0] : tree;
  return { kind: tree.kind, items: tree.items.map(shapeOf) };
}

function rawOf(tree: Tree | undefined): string {
  if (tree === undefined) return '';
  if (typeof tree === 'string') return tree;
  return `${tree.kind}${tree.kind === '%' ? tree.items.length : tree.items.length}\r\n${tree.items.map(rawOfItem).join('')}`;
}

/** The pairs of a map have no line of their own. */
function rawOfItem(tree: Tree): string {
  return typeof tree !== 'string' && tree.kind === 'pair' ? tree.items.map(rawOf).join('') : rawOf(tree);
}

function nameOf(command: Command): string {
  return asText(command[0]).toUpperCase();
}

function asText(argument: Argument): string {
  return typeof argument === 'string' ? argument : argument.toString('latin1');
}
