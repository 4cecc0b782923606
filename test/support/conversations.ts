/**
 * Several clients of one server whose commands come one after the other, and what each is sent in each step, besides replies too:
 * first at an oracle of one thread, where a PING tells that nothing more comes; then at ours, which has to send as much.
 */
import { requestBytes } from './request-bytes.ts';
import { openWire, type Wire } from './wire.ts';

/** Which client says what. */
export type Step = readonly [client: number, ...command: (string | Buffer)[]];

/** What came to each client in one step, as JSON. */
export type Heard = readonly (readonly string[])[];

const WAIT_MS_MAX = 10_000;
const PONGS = ['"+PONG"', '["pong",""]'];

/** What everybody hears in each step, by asking everybody after it. */
export async function hearOracle(port: number, clients: number, steps: readonly Step[]): Promise<Heard[]> {
  const wires = await Promise.all(Array.from({ length: clients }, () => openWire(port)));
  const heard: string[][][] = [];
  for (const step of steps) {
    say(wires, step);
    // Who spoke is asked first: then it has been done.
    const here: string[][] = [];
    here[step[0]] = await untilPong(wires[step[0]]);
    for (const [client, wire] of wires.entries()) here[client] ??= await untilPong(wire);
    heard.push(here);
  }
  for (const wire of wires) wire.close();
  return heard;
}

/** The same where messages take a moment: as many as the oracle's, and none besides in the end. */
export async function hearServer(
  port: number,
  expected: readonly Heard[],
  steps: readonly Step[],
): Promise<Heard[]> {
  const wires = await Promise.all((expected[0] ?? []).map(() => openWire(port)));
  const heard: string[][][] = [];
  for (const [index, step] of steps.entries()) {
    say(wires, step);
    const { [step[0]]: own } = expected[index];
    const here: string[][] = [];
    here[step[0]] = await take(wires[step[0]], own.length);
    for (const [client, wire] of wires.entries())
      here[client] ??= await take(wire, expected[index][client].length);
    heard.push(here);
  }
  const rest = await Promise.all(wires.map(untilPong));
  for (const wire of wires) wire.close();
  await untilUnheard(port);
  return rest.some(({ length }) => length > 0) ? [...heard, rest] : heard;
}

/** Who is closed is heard of by a worker later: what the next program publishes must not reach it. */
async function untilUnheard(port: number): Promise<void> {
  const wire = await openWire(port);
  for (const about of ['CHANNELS', 'NUMPAT', 'SHARDCHANNELS']) {
    let answer: string;
    do {
      wire.socket.write(requestBytes('PUBSUB', about));
      answer = await next(wire);
    } while (answer !== '[]' && answer !== '":0"');
  }
  wire.close();
}

function say(wires: readonly Wire[], [client, ...command]: Step): void {
  wires[client].socket.write(requestBytes(...command));
}

async function untilPong(wire: Wire): Promise<string[]> {
  wire.socket.write(requestBytes('PING'));
  const heard: string[] = [];
  for (let reply = await next(wire); !PONGS.includes(reply); reply = await next(wire)) heard.push(reply);
  return heard;
}

async function take(wire: Wire, count: number): Promise<string[]> {
  const heard: string[] = [];
  while (heard.length < count) {
    const reply = await within(next(wire));
    if (reply === undefined) break;
    heard.push(reply);
  }
  return heard;
}

async function next(wire: Wire): Promise<string> {
  return JSON.stringify(textOf(await wire.reply()));
}

function textOf(reply: unknown): unknown {
  if (Buffer.isBuffer(reply)) return reply.toString('latin1');
  return Array.isArray(reply) ? reply.map(textOf) : reply;
}

async function within(reply: Promise<string>): Promise<string | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), WAIT_MS_MAX);
  });
  const first = await Promise.race([reply, late]);
  clearTimeout(timer);
  return first;
}
