/**
 * Calls to nodes that may hang, die or be cut off: one connection to each node, one call at a time, every call with an end.
 */
import { connect, type Socket } from 'node:net';
import { requestBytes } from './request-bytes.ts';
import { createWire, type Wire } from './wire.ts';

export type Address = { readonly host: string; readonly port: number };

/** The connection broke, or no reply came in time: whatever was asked for may have been done, unless it was never connected. */
export class NoReply extends Error {
  override name = 'NoReply';
  readonly wasSent: boolean;
  constructor(message: string, wasSent: boolean) {
    super(message);
    this.wasSent = wasSent;
  }
}

export type Caller = {
  /** Sends commands in one write and takes their replies as texts, errors with their `-`. Rejects with NoReply. */
  call(commands: readonly (readonly string[])[], msMax: number): Promise<string[]>;
  close(): void;
};

const CONNECT_MS_MAX = 1_000;
const REDIRECTIONS_MAX = 6;

export function createCaller(address: Address): Caller {
  let wire: Wire | undefined;
  const drop = () => {
    wire?.close();
    wire = undefined;
  };
  return {
    call: async (commands, msMax) => {
      const open = wire ?? (await openWithin(address, CONNECT_MS_MAX));
      wire = open;
      open.socket.write(Buffer.concat(commands.map((command) => requestBytes(...command))));
      const timer = setTimeout(() => open.close(), msMax);
      try {
        const replies: string[] = [];
        for (const _ of commands) replies.push(textOf(await open.reply()));
        return replies;
      } catch (error) {
        drop();
        throw new NoReply((error as Error).message, true);
      } finally {
        clearTimeout(timer);
      }
    },
    close: drop,
  };
}

/** Connections by the names of the nodes. */
export type Callers = Map<string, Caller>;

/** A reply, and the node that gave it. */
export type Told<Node extends Address> = { readonly reply: string; readonly node: Node };

/** Asks a node, and those to which it sends us with MOVED and ASK, as far as they are among `nodes`. */
export async function callFrom<Node extends Address>(
  callers: Callers,
  nodes: readonly Node[],
  first: Node,
  command: readonly string[],
  msMax: number,
): Promise<Told<Node>> {
  let node = first;
  let isAsking = false;
  for (let left = REDIRECTIONS_MAX; ; left -= 1) {
    const caller = callers.get(nameOf(node)) ?? createCaller(node);
    callers.set(nameOf(node), caller);
    const replies = await caller.call(isAsking ? [['ASKING'], command] : [command], msMax);
    const reply = replies[replies.length - 1];
    const redirection = /^-(MOVED|ASK) \d+ (\S+)$/.exec(reply);
    const next = nodes.find((other) => nameOf(other) === redirection?.[2]);
    if (next === undefined || left === 0) return { reply, node };
    isAsking = redirection?.[1] === 'ASK';
    node = next;
  }
}

export function closeCallers(callers: Callers): void {
  for (const caller of callers.values()) caller.close();
}

/** As redirections name it. */
export function nameOf({ host, port }: Address): string {
  return `${host}:${port}`;
}

/** One command over a connection of its own. */
export async function callNode(address: Address, command: readonly string[], msMax: number): Promise<string> {
  const caller = createCaller(address);
  try {
    const [reply] = await caller.call([command], msMax);
    return reply;
  } finally {
    caller.close();
  }
}

function openWithin({ host, port }: Address, msMax: number): Promise<Wire> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect({ host, port, noDelay: true });
    const fail = (message: string) => {
      socket.destroy();
      reject(new NoReply(message, false));
    };
    const timer = setTimeout(() => fail('not connected in time'), msMax);
    socket.once('error', (error) => {
      clearTimeout(timer);
      fail(error.message);
    });
    socket.once('connect', () => {
      clearTimeout(timer);
      resolve(createWire(socket));
    });
  });
}

type Reply = Awaited<ReturnType<Wire['reply']>>;

/** Nothing is the empty text, items have a line each. */
function textOf(reply: Reply): string {
  if (reply === null) return '';
  if (Buffer.isBuffer(reply)) return reply.toString('latin1');
  if (typeof reply === 'string') return reply;
  return reply.map(textOf).join('\n');
}
