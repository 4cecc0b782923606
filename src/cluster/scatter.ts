/**
 * Commands that several nodes execute in parts, for the keys of each, and whose replies are put together.
 *
 * On the worker of the connection. Each node executes its part at one moment; the parts of different nodes are executed at
 * different moments, and one may fail where others have succeeded. The part of this node goes the same way as all others, so the
 * client's next commands wait: what is executed here at once would come before it. A part
 * whose node does not own all of its slots any more, which it then has not executed, is asked for again slot by slot.
 */
import { Buffer } from 'node:buffer';
import type { Call, Command } from '../commands/call.ts';
import { NO_NODE, type NodeTable } from '../routing/node-table.ts';
import { slotOfKey } from '../routing/slot.ts';
import { type Errand, errorOf, runErrand } from './errand.ts';
import {
  beginRequest,
  endRequest,
  parseOwnRequest,
  type RequestArguments,
  writeCommand,
  writePart,
} from './forward-request.ts';
import { type Gathering, gatheringOf, joinReplies } from './gather.ts';
import { failOutlet, openOutlet, type ReplyOutlet } from './outlet.ts';
import type { PeerLinks } from './peer-links.ts';
import { drawKey } from './scatter-draw.ts';
import { scanNodes } from './scatter-scan.ts';

const NOT_SERVED = 'CLUSTERDOWN Hash slot not served';

/** Not executed, and worth asking for again in smaller parts. */
const UNEXECUTED = /^(?:MOVED|ASK|TRYAGAIN|CROSSSLOT) /;

const NO_PLACES: readonly number[] = [];

type Scatter = {
  readonly links: PeerLinks;
  readonly outlet: ReplyOutlet;
  readonly command: Command;
  readonly gathering: Gathering;
  /** What has come, and which of the command's keys it is for. */
  readonly replies: { readonly reply: Buffer; readonly places: readonly number[] }[];
  readonly errors: string[];
  /** Parts without an answer. */
  left: number;
};

/** One part: a request to a node, and which of the command's keys it has. */
type Part = { readonly request: Buffer; readonly places: readonly number[]; readonly isOneSlot: boolean };

/** See `Forwarder.canScatter`. */
export function canScatter({ spec }: Command): boolean {
  return gatheringOf(spec.name) !== undefined || spec.name === 'scan' || spec.name === 'randomkey';
}

/** See `Forwarder.scatter`. */
export function scatter(links: PeerLinks, call: Call, command: Command): void {
  const gathering = gatheringOf(command.spec.name);
  if (command.firstKey > 0) {
    if (gathering !== undefined) scatterKeys(links, call, command, gathering);
    return;
  }
  const owners = ownersOf(links.cluster.table);
  if (owners.length === 0) failOutlet(openOutlet(call, true), NOT_SERVED);
  else if (gathering !== undefined) scatterWhole(links, call, command, gathering, owners);
  else if (command.spec.name === 'scan') scanNodes(links, call, owners);
  else drawKey(links, call, owners);
}

/** The nodes that own slots, in ascending order of their indices. O(slots): some 20 us. */
function ownersOf({ owners }: NodeTable): number[] {
  const isOwner = new Uint8Array(NO_NODE + 1);
  for (let slot = 0; slot < owners.length; slot += 1) isOwner[owners[slot]] = 1;
  return [...isOwner.keys()].filter((node) => node !== NO_NODE && isOwner[node] === 1);
}

/** The whole command to each node. */
function scatterWhole(
  links: PeerLinks,
  call: Call,
  command: Command,
  gathering: Gathering,
  nodes: readonly number[],
): void {
  const writer = beginRequest();
  writeCommand(writer, call);
  const part: Part = { request: endRequest(writer), places: NO_PLACES, isOneSlot: true };
  const work = beginScatter(links, call, command, gathering, nodes.length);
  for (const node of nodes) askForPart(work, node, part);
}

/** To each owner its keys, with what belongs to each. */
function scatterKeys(links: PeerLinks, call: Call, command: Command, gathering: Gathering): void {
  const { owners } = links.cluster.table;
  const places = Array.from(
    { length: (call.count - command.firstKey) / command.keyStep },
    (_, place) => place,
  );
  const parts = [...groupPlaces(call, command, places, (slot) => owners[slot])].map(
    ([node, keys]) => [node, partOf(call, command, keys, keys)] as const,
  );
  const work = beginScatter(links, call, command, gathering, parts.length);
  for (const [node, part] of parts) askForPart(work, node, part);
}

/** A part that was not executed: its keys again, those of each slot by themselves. */
function askBySlot(work: Scatter, { request, places }: Part): void {
  const { command, links } = work;
  const parsed = parseOwnRequest(request);
  const own = places.map((_, at) => at);
  const groups = groupPlaces(parsed, command, own, (slot) => slot);
  work.left += groups.size - 1;
  for (const [slot, keys] of groups) {
    const part = partOf(
      parsed,
      command,
      keys,
      keys.map((key) => places[key]),
    );
    askForPart(work, links.cluster.table.owners[slot], { ...part, isOneSlot: true });
  }
}

/** The keys at these places, grouped by something of their slots. */
function groupPlaces(
  { input, spans }: RequestArguments,
  { firstKey, keyStep }: Command,
  places: readonly number[],
  groupOf: (slot: number) => number,
): Map<number, number[]> {
  const groups = new Map<number, number[]>();
  for (const place of places) {
    const index = firstKey + place * keyStep;
    const group = groupOf(slotOfKey(input, spans[2 * index], spans[2 * index + 1]));
    const members = groups.get(group);
    if (members === undefined) groups.set(group, [place]);
    else members.push(place);
  }
  return groups;
}

/** The command with the keys at `keys`, which are at `places` of the client's command. */
function partOf(
  args: RequestArguments,
  { firstKey, keyStep }: Command,
  keys: readonly number[],
  places: readonly number[],
): Part {
  const writer = beginRequest();
  writePart(writer, args, firstKey, keyStep, keys);
  return { request: endRequest(writer), places, isOneSlot: keys.length === 1 };
}

function beginScatter(
  links: PeerLinks,
  call: Call,
  command: Command,
  gathering: Gathering,
  left: number,
): Scatter {
  return { links, outlet: openOutlet(call, true), command, gathering, replies: [], errors: [], left };
}

function askForPart(work: Scatter, node: number, part: Part): void {
  const { links, outlet, command } = work;
  const pieces: Buffer[] = [];
  const errand: Errand = {
    protocol: outlet.protocol,
    request: part.request,
    prefaces: 0,
    isWrite: command.isWrite,
    mayFollow: part.isOneSlot,
    onReply: (bytes, start, end, isWhole) => {
      pieces.push(Buffer.from(bytes.subarray(start, end)));
      if (isWhole) endPart(work, part, pieces.length === 1 ? pieces[0] : Buffer.concat(pieces));
    },
    onFailure: (text) => failPart(work, text),
  };
  if (node === NO_NODE) failPart(work, NOT_SERVED);
  else runErrand(links, errand, node, false);
}

function endPart(work: Scatter, part: Part, reply: Buffer): void {
  const error = errorOf(reply, 0, reply.length);
  if (error === undefined) {
    work.replies.push({ reply, places: part.places });
    settle(work);
  } else if (!part.isOneSlot && UNEXECUTED.test(error)) {
    askBySlot(work, part);
  } else {
    failPart(work, error);
  }
}

function failPart(work: Scatter, error: string): void {
  work.errors.push(error);
  settle(work);
}

/** Answers when nothing is missing any more. */
function settle(work: Scatter): void {
  work.left -= 1;
  if (work.left > 0) return;
  const { outlet, gathering, replies, errors, command } = work;
  if (errors.length === 0) {
    for (const bytes of joinReplies(gathering, replies)) outlet.add(bytes);
    outlet.end();
    return;
  }
  const [first] = errors;
  if (!command.isWrite || replies.length === 0) {
    failOutlet(outlet, errors.find((error) => error.startsWith('IOERR ')) ?? first);
    return;
  }
  const parts = replies.length + errors.length;
  const name = command.spec.name.toUpperCase();
  failOutlet(
    outlet,
    `IOERR ${name} was executed on some nodes only, ${replies.length} of ${parts} parts: ${first}`,
  );
}
