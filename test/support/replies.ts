/**
 * Raw replies, taken apart: a stream of them into single ones, and one into a tree whose sets and maps have no order.
 */
import { exchangeBytes } from './redis-exchange.ts';
import { requestBytes } from './request-bytes.ts';

/** Sends commands to a server in one go and returns each one's raw reply, one character per byte. */
export async function converse(
  port: number,
  commands: readonly (readonly (string | Buffer)[])[],
): Promise<string[]> {
  const input = Buffer.concat(commands.map((command) => requestBytes(...command)));
  return splitReplies((await exchangeBytes(port, input)).toString('latin1'));
}

/** The single replies of a whole number of them. */
export function splitReplies(raw: string): string[] {
  const replies: string[] = [];
  let at = 0;
  while (at < raw.length) {
    const { end } = readReply(raw, at);
    replies.push(raw.slice(at, end));
    at = end;
  }
  return replies;
}

export type Tree = string | { readonly kind: string; readonly items: readonly Tree[] };

/** One reply as a tree: leaves are raw texts, the members of sets and the pairs of maps are sorted. */
export function replyTree(raw: string): Tree {
  return readReply(raw, 0).tree;
}

function readReply(raw: string, start: number): { tree: Tree; end: number } {
  const lineEnd = raw.indexOf('\r\n', start) + 2;
  if (lineEnd < 2) throw new Error(`no whole reply: ${raw.slice(start, start + 40)}`);
  const kind = raw[start];
  const count = Number(raw.slice(start + 1, lineEnd - 2));
  if ('*~>%'.includes(kind)) return readItems(raw, lineEnd, kind, kind === '%' ? 2 * count : count);
  const end = '$='.includes(kind) && count >= 0 ? lineEnd + count + 2 : lineEnd;
  return { tree: raw.slice(start, end), end };
}

function readItems(raw: string, start: number, kind: string, count: number): { tree: Tree; end: number } {
  let items: Tree[] = [];
  let end = start;
  for (let i = 0; i < count; i += 1) {
    const item = readReply(raw, end);
    items.push(item.tree);
    end = item.end;
  }
  if (kind === '%') {
    items = Array.from({ length: count / 2 }, (_, i) => ({
      kind: 'pair',
      items: items.slice(2 * i, 2 * i + 2),
    }));
  }
  if (kind === '%' || kind === '~') items.sort(compareTrees);
  return { tree: { kind, items }, end };
}

/** Any total order will do. */
export function compareTrees(a: Tree, b: Tree): number {
  const [left, right] = [JSON.stringify(a), JSON.stringify(b)];
  return left < right ? -1 : Number(left > right);
}
