/**
 * The sources that the tidy rules read: a file's path and text, and the same text with comments and
 * strings blanked, so that a ban on `Date.now` does not trip over prose.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';

/** One file: `path` from the root with slashes, `text` as it lies on disk, `code` without comments and strings. */
export type Source = { path: string; text: string; code: string };

/** The folders our rules hold for. */
const FOLDERS = ['src', 'workers', 'test', 'bench', 'scripts', 'bin'];

/** Comments, strings, templates, and regular expressions where an operand may stand. */
const NOT_CODE =
  /\/\/[^\n]*|\/\*[\s\S]*?\*\/|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`|(?<=(?:[=(,:[!&|?{};]|return|=>)\s*)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n])+\//g;

export function createSource(path: string, text: string): Source {
  return { path, text, code: blankComments(text) };
}

/** Reads every source file under the root folder, in order of path. */
export function readSources(root: string): Source[] {
  const paths = FOLDERS.flatMap((folder) => listFiles(root, folder)).filter((path) =>
    /\.(ts|mjs)$/.test(path),
  );
  return paths.map((path) => createSource(path, readFileSync(`${root}/${path}`, 'utf8')));
}

/** The line (from 1) of an offset in a text. */
export function lineOf(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length;
}

/**
 * The text with everything that is not code turned into spaces; line breaks and offsets stay. Code inside a
 * template's braces is blanked with the template: the price of not being a parser.
 */
function blankComments(text: string): string {
  return text.replace(NOT_CODE, (found) => found.replace(/[^\n]/g, ' '));
}

function listFiles(root: string, folder: string): string[] {
  const found = statSync(`${root}/${folder}`, { throwIfNoEntry: false });
  if (found === undefined) return [];
  const names = readdirSync(`${root}/${folder}`, { withFileTypes: true }).filter(
    (e) => e.name !== 'node_modules',
  );
  return names
    .flatMap((e) => (e.isDirectory() ? listFiles(root, `${folder}/${e.name}`) : [`${folder}/${e.name}`]))
    .sort();
}
