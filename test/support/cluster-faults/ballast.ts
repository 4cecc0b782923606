/** Keys that are written once and must be there ever after, whatever befalls the cluster. */
import { type Address, type Callers, callFrom, closeCallers, createCaller, nameOf } from '../node-call.ts';

const BATCH = 500;
const CALL_MS_MAX = 10_000;
const REDIRECTED = /^-(?:MOVED|ASK|TRYAGAIN) /;

/** Writes so many through the first of the nodes, which passes them on. Rejects with the first refusal. */
export async function writeBallast(nodes: readonly Address[], keys: number): Promise<void> {
  await inBatches(nodes, keys, ballastSet, (reply) => reply === '+OK');
}

/** How many are not there any more, or not what they were. */
export async function countLostBallast(nodes: readonly Address[], keys: number): Promise<number> {
  let lost = 0;
  await inBatches(nodes, keys, ballastGet, (reply, index) => {
    if (reply !== ballastValue(index)) lost += 1;
    return !reply.startsWith('-');
  });
  return lost;
}

async function inBatches(
  nodes: readonly Address[],
  keys: number,
  command: (index: number) => string[],
  isWell: (reply: string, index: number) => boolean,
): Promise<void> {
  const callers: Callers = new Map();
  const first = createCaller(nodes[0]);
  callers.set(nameOf(nodes[0]), first);
  try {
    for (let start = 0; start < keys; start += BATCH) {
      const count = Math.min(BATCH, keys - start);
      const commands = Array.from({ length: count }, (_, i) => command(start + i));
      const replies = await first.call(commands, CALL_MS_MAX);
      for (const [i, reply] of replies.entries()) {
        const last = REDIRECTED.test(reply)
          ? (await callFrom(callers, nodes, nodes[0], commands[i], CALL_MS_MAX)).reply
          : reply;
        if (!isWell(last, start + i)) throw new Error(`${commands[i].join(' ')}: ${last}`);
      }
    }
  } finally {
    closeCallers(callers);
  }
}

function ballastSet(index: number): string[] {
  return ['SET', `ballast:${index}`, ballastValue(index)];
}

function ballastGet(index: number): string[] {
  return ['GET', `ballast:${index}`];
}

function ballastValue(index: number): string {
  return `value-${index}`;
}
