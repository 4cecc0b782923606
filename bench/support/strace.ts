/** Counts the system calls of a running process with strace. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { requireProgram } from './peers.ts';

/** How often each system call was made, by its name. */
export type SystemCalls = ReadonlyMap<string, number>;

const ATTACHED = 'attached';
/** In a line of the summary: share, seconds, microseconds a call, calls, errors where there were any, name. */
const CALLS_FIELD = 3;
const FIELDS_MIN = 5;
/** strace says that it is attached, and sums up, within a moment; a process that is gone it tells by its exit code. */
const ANSWER_MS_MAX = 20_000;

/** The system calls of all threads of a process while `use` runs. The process is many times slower meanwhile. */
export async function countSystemCalls(
  pid: number,
  names: readonly string[],
  use: () => Promise<void>,
): Promise<SystemCalls> {
  const flags = ['-f', '-c', '-e', `trace=${names.join(',')}`, '-p', String(pid)];
  const child = spawn(requireProgram('strace'), flags, { stdio: ['ignore', 'ignore', 'pipe'] });
  const exited = once(child, 'exit');
  const closed = once(child, 'close');
  let told = '';
  const attached = new Promise<void>((resolve) => {
    child.stderr.on('data', (chunk: Buffer) => {
      told += chunk.toString();
      if (told.includes(ATTACHED)) resolve();
    });
  });
  const forced = setTimeout(() => child.kill('SIGKILL'), ANSWER_MS_MAX);
  await Promise.race([attached, exited]);
  clearTimeout(forced);
  if (!told.includes(ATTACHED)) throw new Error(`strace could not attach: ${told.trim()}`);
  try {
    await use();
  } finally {
    child.kill('SIGINT');
    await closed;
  }
  return parseStraceSummary(told);
}

/** Reads the table of `strace -c`; other lines are passed over. */
export function parseStraceSummary(text: string): SystemCalls {
  const calls = new Map<string, number>();
  for (const line of text.split('\n')) {
    const fields = line.trim().split(/\s+/);
    const name = fields[fields.length - 1];
    if (fields.length < FIELDS_MIN || !/^[\d.]+$/.test(fields[0]) || name === 'total') continue;
    calls.set(name, Number(fields[CALLS_FIELD]));
  }
  return calls;
}
