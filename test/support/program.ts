/**
 * A program that is started, stopped, killed, paused and started again with the same arguments; ended with this process at the latest.
 */
import { type ChildProcess, spawn } from 'node:child_process';

export type ProgramOptions = {
  /** Shown in messages. */
  readonly name: string;
  readonly program: string;
  readonly flags: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Whether a Ctrl-C in the terminal is this process's alone to hear, which then ends the program in its own time. */
  readonly isShielded?: boolean;
};

export type Program = {
  readonly name: string;
  /** Does nothing where it runs. */
  start(): void;
  /** SIGTERM, and SIGKILL where it takes longer than ten seconds; resolves when it has ended. */
  stop(): Promise<void>;
  /** SIGKILL; resolves when it has ended. */
  kill(): Promise<void>;
  pause(): void;
  resume(): void;
  readonly isRunning: () => boolean;
  readonly pid: () => number;
  /** The end of its standard output and error, of all its lives. */
  readonly output: () => string;
  /** Called with the exit code (null: a signal) whenever it ends, by its own will or another's. */
  onEnd(listener: (code: number | null) => void): void;
};

/** One life of it. */
type Life = { readonly child: ChildProcess; readonly ended: Promise<void> };

const OUTPUT_CHARACTERS_MAX = 200_000;
const STOP_MS_MAX = 10_000;

export function createProgram(options: ProgramOptions): Program {
  let life: Life | undefined;
  let output = '';
  const listeners: ((code: number | null) => void)[] = [];
  const collect = (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-OUTPUT_CHARACTERS_MAX);
  };
  const start = () => {
    if (life !== undefined) return;
    const child = spawn(options.program, options.flags, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...options.environment },
      detached: options.isShielded ?? false,
    });
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.on('error', (error) => collect(Buffer.from(error.message)));
    const killWithUs = () => child.kill('SIGKILL');
    process.once('exit', killWithUs);
    const ended = new Promise<void>((resolve) => {
      child.once('close', (code) => {
        process.off('exit', killWithUs);
        life = undefined;
        resolve();
        for (const listener of listeners) listener(code);
      });
    });
    life = { child, ended };
  };
  return {
    name: options.name,
    start,
    stop: () => end(life, 'SIGTERM'),
    kill: () => end(life, 'SIGKILL'),
    pause: () => void life?.child.kill('SIGSTOP'),
    resume: () => void life?.child.kill('SIGCONT'),
    isRunning: () => life !== undefined,
    pid: () => life?.child.pid ?? 0,
    output: () => output,
    onEnd: (listener) => void listeners.push(listener),
  };
}

async function end(life: Life | undefined, signal: NodeJS.Signals): Promise<void> {
  if (life === undefined) return;
  life.child.kill(signal);
  // A program that was paused hears nothing else.
  life.child.kill('SIGCONT');
  const forced = setTimeout(() => life.child.kill('SIGKILL'), STOP_MS_MAX);
  await life.ended;
  clearTimeout(forced);
}
