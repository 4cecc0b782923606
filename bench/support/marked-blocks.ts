/**
 * Blocks of a Markdown text that a program writes: what stands between a comment `bench:NAME` and its end, a comment
 * `/bench:NAME`. Pure.
 */

/** The text with the blocks in place, and the names of those that stand in it with nothing to put there. */
export type Replaced = { readonly text: string; readonly replaced: string[]; readonly left: string[] };

const MARK = /<!-- (\/?)bench:([\w-]+) -->/g;

/** Throws where a block does not end, ends without having begun, or stands in another. */
export function replaceBlocks(text: string, blocks: ReadonlyMap<string, string>): Replaced {
  const replaced: string[] = [];
  const left: string[] = [];
  let result = '';
  let copied = 0;
  let open: { name: string; end: number } | undefined;
  for (const { 0: mark, 1: slash, 2: name, index } of text.matchAll(MARK)) {
    const isEnd = slash === '/';
    if (isEnd !== (open !== undefined) || (isEnd && open?.name !== name))
      throw new Error(`the block ${open?.name ?? name} does not begin and end in turn, at ${mark}`);
    if (!isEnd) {
      open = { name, end: index + mark.length };
      continue;
    }
    const content = blocks.get(name);
    if (content === undefined) left.push(name);
    else {
      result += `${text.slice(copied, open?.end)}\n${content.trimEnd()}\n`;
      copied = index;
      replaced.push(name);
    }
    open = undefined;
  }
  if (open !== undefined) throw new Error(`the block ${open.name} does not end`);
  return { text: result + text.slice(copied), replaced, left };
}
