/** A process that a benchmark asks things of, one at a time: started with a plan as its argument, ended whatever comes. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';

/** `ask` sends a message and resolves to the answer; rejects when the process ends instead. */
export type Child = { readonly pid: number; readonly ask: (message: object) => Promise<unknown> };

/** Starts the file, hands it on once it has sent its first message, and ends it. `name` is for trouble, `flags` are Node's. */
export async function withChild<Result>(
  file: URL,
  name: string,
  plan: object,
  use: (child: Child) => Promise<Result>,
  flags: readonly string[] = [],
): Promise<Result> {
  const child = fork(file, [JSON.stringify(plan)], { execArgv: [...flags] });
  try {
    await nextMessage(child, name);
    const ask = async (message: object): Promise<unknown> => {
      child.send(message);
      return nextMessage(child, name);
    };
    return await use({ pid: child.pid ?? 0, ask });
  } finally {
    if (child.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit');
      child.kill();
      await exited;
    }
  }
}

/** The next message; rejects when the process ends instead: it has then told why on stderr. */
function nextMessage(child: ChildProcess, name: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const onMessage = (message: unknown): void => {
      child.off('exit', onExit);
      resolve(message);
    };
    const onExit = (): void => {
      child.off('message', onMessage);
      reject(new Error(`${name} has ended`));
    };
    child.once('message', onMessage);
    child.once('exit', onExit);
  });
}
