/** The text of `--help`, generated from the directive table. Main thread. */
import type { Directive } from './directive.ts';
import { DIRECTIVES } from './directives.ts';

const NAME_COLUMNS = 30;
const LINE_COLUMNS_MAX = 100;

export function helpText(): string {
  const used = DIRECTIVES.filter((directive) => directive.effect !== 'stored');
  const stored = DIRECTIVES.filter((directive) => directive.effect === 'stored' && directive.hidden !== true);
  return [
    'Usage: distcache [config-file] [--directive value ...]',
    '       distcache check DIR [--repair] [--yes]     Check a data folder, repair it when asked to.',
    '       distcache inspect FILE [--limit N]         Show a log segment or a snapshot.',
    '',
    'A Redis-protocol cache server. Every directive works in the file (redis.conf syntax), as an environment',
    'variable (DISTCACHE_MAXMEMORY) and as a flag; flags win over environment over file.',
    '',
    `  ${'--config FILE'.padEnd(NAME_COLUMNS)}Read this file, as does a first argument without dashes.`,
    `  ${'--help, -h'.padEnd(NAME_COLUMNS)}Print this text.`,
    `  ${'--version, -v'.padEnd(NAME_COLUMNS)}Print the version.`,
    '',
    ...used.flatMap(directiveLines),
    '',
    'Accepted and kept, without effect:',
    ...wrapped(stored.map((directive) => directive.name).join(' '), '  '),
    '',
  ].join('\n');
}

function directiveLines(directive: Directive): string[] {
  const byDefault = directive.computed ?? (directive.default === '' ? '""' : directive.default);
  const indent = ' '.repeat(NAME_COLUMNS + 2);
  const [first, ...rest] = wrapped(`${directive.doc} Default: ${byDefault}.`, indent);
  return [`  ${`--${directive.name}`.padEnd(NAME_COLUMNS)}${first.slice(indent.length)}`, ...rest];
}

function wrapped(text: string, indent: string): string[] {
  const lines = [indent];
  for (const word of text.split(' ')) {
    const line = lines[lines.length - 1];
    if (line.length + word.length > LINE_COLUMNS_MAX) lines.push(`${indent}${word} `);
    else lines[lines.length - 1] = `${line}${word} `;
  }
  return lines.map((line) => line.trimEnd());
}
