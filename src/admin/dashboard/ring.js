/**
 * The picture of the hash ring. Outside, all slots in their order, in pieces of 64 that have the colour of the shard with
 * the most of them; inside, what part of all slots each shard has; below, how evenly. A shard that is pointed at, here or
 * in the table, lights up: then the pieces show how many of their slots are its own.
 */
import { byId, setProperty, setText, svgElement } from './dom.js';
import { formatPercent, formatWhole } from './format.js';
import { poll } from './poll.js';

const CENTRE = 160;
const OUTER = 154;
const PIECES_INNER = 138;
const SHARES_OUTER = 131;
const SHARES_INNER = 106;
const PIECES = 256;
const BARS_WIDTH = 320;
const BARS_HEIGHT = 56;
const COLOURS = 8;
/** No shard is pointed at. */
const NONE = -1;
const EVERY_MS = 30_000;
const FULL_CIRCLE = 0.999_999;

/** @typedef {import('./shapes.d.ts').RingAnswer} RingAnswer */

/**
 * @typedef {object} RingPicture
 * @property {RingAnswer | undefined} ring
 * @property {string} drawn what is on the page, to draw only what changed
 * @property {HTMLInputElement} slider whose value is the place of the shard that is lit; NONE for all
 * @property {SVGElement[]} pieces of the outer circle
 * @property {number[][]} slotsOf by piece: the slots in it by place of the owner
 * @property {SVGElement[]} arcs of the inner circle
 * @property {SVGElement[]} bars
 */

/**
 * @param {import('./poll.js').Pollster} pollster
 * @returns {{ select: (shard: number) => void }}
 */
export function createRing(pollster) {
  const slider = /** @type {HTMLInputElement} */ (byId('ring-shard'));
  /** @type {RingPicture} */
  const picture = { ring: undefined, drawn: '', slider, pieces: [], slotsOf: [], arcs: [], bars: [] };
  const select = (/** @type {number} */ shard) =>
    selectAt(picture, picture.ring?.owners.findIndex((owner) => owner.shard === shard) ?? NONE);
  listenSlider(picture);
  byId('ring').addEventListener('pointerleave', () => selectAt(picture, NONE));
  poll(pollster, {
    section: 'ring',
    path: () => 'v1/ring',
    everyMs: EVERY_MS,
    onData: (ring) => drawRing(picture, ring, select),
  });
  return { select };
}

/**
 * @param {RingPicture} picture
 * @param {RingAnswer} ring
 * @param {(shard: number) => void} select
 */
function drawRing(picture, ring, select) {
  const described = JSON.stringify(ring);
  if (described === picture.drawn) return;
  picture.drawn = described;
  picture.ring = ring;
  picture.slotsOf = slotsByPiece(ring);
  picture.pieces = drawPieces();
  picture.arcs = drawArcs(ring, select);
  picture.bars = drawBars(ring, select);
  picture.slider.max = String(ring.owners.length - 1);
  selectAt(picture, NONE);
}

/**
 * By piece of the circle, by place of the owner: how many of its slots are there.
 * @param {RingAnswer} ring
 */
function slotsByPiece({ owners, ranges, slots }) {
  const places = new Map(owners.map(({ shard }, at) => [shard, at]));
  const counts = Array.from({ length: PIECES }, () => owners.map(() => 0));
  for (const [first, last, shard] of ranges) {
    for (let slot = first; slot <= last; slot++) {
      counts[Math.floor((slot * PIECES) / slots)][places.get(shard) ?? 0]++;
    }
  }
  return counts;
}

function drawPieces() {
  const pieces = Array.from({ length: PIECES }, (_, at) => {
    return svgElement('path', {
      d: arcPath(at / PIECES, (at + 1) / PIECES, OUTER, PIECES_INNER),
      class: 'arc',
    });
  });
  byId('ring-pieces').replaceChildren(...pieces);
  return pieces;
}

/**
 * @param {RingAnswer} ring
 * @param {(shard: number) => void} select
 */
function drawArcs({ owners, slots }, select) {
  let turn = 0;
  const arcs = owners.map(({ shard, slots: own }) => {
    const end = turn + own / slots;
    const arc = svgElement('path', { d: arcPath(turn, end, SHARES_OUTER, SHARES_INNER), class: 'arc' });
    turn = end;
    paint(arc, shard);
    arc.addEventListener('pointerenter', () => select(shard));
    return arc;
  });
  byId('ring-arcs').replaceChildren(...arcs);
  return arcs;
}

/**
 * Bars from zero; the line is where all would end if all were alike.
 * @param {RingAnswer} ring
 * @param {(shard: number) => void} select
 */
function drawBars(ring, select) {
  const largest = Math.max(1, ...ring.owners.map(({ slots }) => slots));
  const step = BARS_WIDTH / ring.owners.length;
  const gap = step > 4 ? 2 : step / 4;
  const bars = ring.owners.map(({ shard, slots }, at) => {
    const height = (slots / largest) * (BARS_HEIGHT - 4);
    const box = { x: at * step + gap / 2, y: BARS_HEIGHT - height, width: step - gap, height, class: 'bar' };
    const bar = svgElement('rect', box);
    paint(bar, shard);
    bar.addEventListener('pointerenter', () => select(shard));
    return bar;
  });
  const mean = ring.slots / Math.max(1, ring.owners.length);
  const y = BARS_HEIGHT - (mean / largest) * (BARS_HEIGHT - 4);
  const line = svgElement('line', { x1: 0, x2: BARS_WIDTH, y1: y, y2: y, class: 'mean' });
  byId('ring-bars').replaceChildren(...bars, line);
  return bars;
}

/**
 * Lights up one shard and tells of it; NONE tells of all.
 * @param {RingPicture} picture
 * @param {number} at its place among the owners
 */
function selectAt(picture, at) {
  const { ring, slider, arcs, bars } = picture;
  if (ring === undefined) return;
  const { owners, slots } = ring;
  paintPieces(picture, owners, at);
  for (const shapes of [arcs, bars]) {
    shapes.forEach((shape, index) => {
      shape.classList.toggle('faded', at !== NONE && index !== at);
    });
  }
  const one = owners[at];
  const number = one ? one.slots : owners.length;
  const caption = one ? `slots in shard ${one.shard}` : owners.length === 1 ? 'shard' : 'shards';
  const detail = one
    ? `${formatPercent(one.slots / slots)} of the ring`
    : `spread ${formatPercent(deviationOf(ring))}`;
  setText(byId('ring-number'), formatWhole(number));
  setText(byId('ring-caption'), caption);
  setText(byId('ring-detail'), detail);
  slider.value = String(at);
  slider.setAttribute('aria-valuetext', `${number} ${caption}`);
}

/**
 * @param {RingPicture} picture
 * @param {RingAnswer['owners']} owners
 * @param {number} at
 */
function paintPieces({ pieces, slotsOf }, owners, at) {
  const most = Math.max(1, ...slotsOf.map((counts) => counts[at] ?? 0));
  pieces.forEach((piece, index) => {
    const counts = slotsOf[index];
    const place = at === NONE ? counts.indexOf(Math.max(...counts)) : at;
    paint(piece, owners[place].shard);
    setProperty(piece, '--shade', at === NONE ? '1' : (0.08 + (0.92 * counts[at]) / most).toFixed(2));
  });
}

/**
 * The slider that is heard and not seen: its arrow keys walk through the shards, Escape leaves.
 * @param {RingPicture} picture
 */
function listenSlider(picture) {
  const { slider } = picture;
  slider.addEventListener('input', () => selectAt(picture, Number(slider.value)));
  slider.addEventListener('blur', () => selectAt(picture, NONE));
  slider.addEventListener('keydown', ({ key }) => {
    if (key === 'Escape') selectAt(picture, NONE);
  });
}

/**
 * A piece of a circle between two turns of 0 to 1, from the top, clockwise.
 * @param {number} from
 * @param {number} to
 * @param {number} outer radius
 * @param {number} inner radius
 */
function arcPath(from, to, outer, inner) {
  const end = Math.min(to, from + FULL_CIRCLE);
  const large = end - from > 0.5 ? 1 : 0;
  return (
    `M${pointAt(from, outer)}A${outer} ${outer} 0 ${large} 1 ${pointAt(end, outer)}` +
    `L${pointAt(end, inner)}A${inner} ${inner} 0 ${large} 0 ${pointAt(from, inner)}Z`
  );
}

/**
 * @param {number} turn
 * @param {number} radius
 */
function pointAt(turn, radius) {
  const angle = turn * 2 * Math.PI - Math.PI / 2;
  const x = CENTRE + radius * Math.cos(angle);
  const y = CENTRE + radius * Math.sin(angle);
  return `${x.toFixed(2)} ${y.toFixed(2)}`;
}

/**
 * @param {SVGElement} shape
 * @param {number} shard
 */
function paint(shape, shard) {
  setProperty(shape, '--paint', `var(--series-${(shard % COLOURS) + 1})`);
}

/**
 * Standard deviation of the slots per shard, over their mean.
 * @param {RingAnswer} ring
 */
function deviationOf({ owners, slots }) {
  const mean = slots / Math.max(1, owners.length);
  const squares = owners.reduce((sum, owner) => sum + (owner.slots - mean) ** 2, 0);
  return Math.sqrt(squares / Math.max(1, owners.length)) / mean;
}
