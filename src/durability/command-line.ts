/**
 * The programs beside the server, chosen by the first argument: `distcache check` and `distcache inspect`.
 *
 * Main thread of a process of its own: no server is started.
 */
import { createInterface } from 'node:readline/promises';
import { EXIT_DAMAGED, runCheck, type ToolTerminal } from './check-command.ts';
import { inspectFile } from './inspect-command.ts';
import { createDiskStorage, enterFolder } from './storage.ts';

/** sysexits.h: the command line makes no sense. */
const EXIT_USAGE = 64;
const USAGE = `Usage:
  distcache check DIR [--repair] [--yes]   Says what is wrong in a data folder. --repair shows what can be kept, and asks.
  distcache inspect FILE [--limit N]       Shows a log segment or a snapshot, at most N records of it.`;

/** Runs the program that the arguments ask for and answers its exit code; undefined where they ask for the server. */
export async function runTool(argv: readonly string[]): Promise<number | undefined> {
  const [name, ...rest] = argv;
  if (name !== 'check' && name !== 'inspect') return undefined;
  // Whoever reads the output may leave early (`| head`).
  process.stdout.on('error', () => undefined);
  try {
    const code = name === 'check' ? await check(rest) : inspect(rest);
    if (code === undefined) process.stderr.write(`${USAGE}\n`);
    return code ?? EXIT_USAGE;
  } catch (error) {
    if (!(error instanceof Error && 'syscall' in error)) throw error;
    process.stderr.write(`distcache: ${error.message}\n`);
    return EXIT_DAMAGED;
  }
}

async function check(argv: readonly string[]): Promise<number | undefined> {
  const flags = argv.filter((word) => word.startsWith('--'));
  const [folder, ...more] = argv.filter((word) => !word.startsWith('--'));
  const isKnown = flags.every((flag) => flag === '--repair' || flag === '--yes');
  if (folder === undefined || more.length > 0 || !isKnown) return undefined;
  enterFolder(folder);
  const options = { folder, isRepair: flags.includes('--repair'), isSure: flags.includes('--yes') };
  return runCheck(createDiskStorage(), createTerminal(), options);
}

function inspect(argv: readonly string[]): number | undefined {
  const [path, flag, count, ...more] = argv;
  const limit = flag === undefined ? Number.POSITIVE_INFINITY : Number(count);
  const isKnown = flag === undefined || (flag === '--limit' && Number.isInteger(limit) && limit > 0);
  if (path === undefined || path.startsWith('--') || !isKnown || more.length > 0) return undefined;
  return inspectFile(createDiskStorage(), path, createTerminal().print, limit);
}

/** Standard output, and standard input for the answers. */
export function createTerminal(): ToolTerminal {
  return {
    print: (line) => void process.stdout.write(`${line}\n`),
    confirm: async (question) => {
      const lines = createInterface({ input: process.stdin });
      process.stdout.write(`${question} [y/N] `);
      const answer = (await lines[Symbol.asyncIterator]().next()) as IteratorResult<string>;
      lines.close();
      return answer.done !== true && /^y(?:es)?$/i.test(answer.value.trim());
    },
  };
}
