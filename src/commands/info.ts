/**
 * INFO: which sections are asked for, and how they are joined.
 *
 * Runs on the thread of the connection, without locks. Some hundred microseconds.
 */
import { writeVerbatim } from '../resp/reply-writer.ts';
import { argumentText } from './arguments.ts';
import type { Call, Handler } from './call.ts';
import { INFO_SECTIONS, type InfoSection } from './info-sections.ts';
import { gatherInfo } from './info-sources.ts';

export const infoHandlers: Readonly<Record<string, Handler>> = { info };

function info(call: Call): void {
  const sections = sectionsAskedFor(call);
  const sources = sections.length > 0 ? gatherInfo(call.engine) : undefined;
  const texts = sections.map(({ title, lines }) => {
    const body = sources === undefined ? [] : lines(sources);
    return [`# ${title}`, ...body].map((line) => `${line}\r\n`).join('');
  });
  writeVerbatim(call.reply, 'txt', texts.join('\r\n'));
}

/** In the order of the table, each once; names that are not known are left out. */
function sectionsAskedFor(call: Call): readonly InfoSection[] {
  if (call.count === 1) return INFO_SECTIONS.filter(({ byDefault }) => byDefault);
  const words = new Set<string>();
  for (let index = 1; index < call.count; index += 1) words.add(argumentText(call, index).toLowerCase());
  const all = words.has('all') || words.has('everything');
  return INFO_SECTIONS.filter(
    ({ names, byDefault }) =>
      all || (byDefault && words.has('default')) || names.some((name) => words.has(name)),
  );
}
