/**
 * The picture of a hash ring, over shards or over nodes. Outside, all slots in their order, in pieces of 64 that have the colour of the shard with
 * the most of them; inside, what part of all slots each shard has; below, how evenly. A shard, or a node, that is pointed at, here or
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

/** @typedef {{ slots: number, owners: readonly { owner: number, slots: number }[], ranges: readonly [number, number, number][] }} RingAnswer */

/**
 * @typedef {object} RingOptions
 * @property {string} section the id of the card, with which those of its parts begin
 * @property {string} path where the ring is asked for
 * @property {number} everyMs
 * @property {(answer: any) => RingAnswer} read
 * @property {(owner: number) => string} nameOf
 * @property {[one: string, many: string]} words
 */

/**
 * @typedef {object} RingPicture
 * @property {RingOptions} options
 * @property {RingAnswer | undefined} ring
 * @property {string} drawn what is on the page, to draw only what changed
 * @property {HTMLInputElement} slider whose value is the place of the owner that is lit; NONE for all
 * @property {SVGElement[]} pieces of the outer circle
 * @property {number[][]} slotsOf by piece: the slots in it by place of the owner
 * @property {SVGElement[]} arcs of the inner circle
 * @property {SVGElement[]} bars
 */

/**
 * The ring over the shards.
 * @param {import('./poll.js').Pollster} pollster
 */
export function createShardRing(pollster) {
  return createRing(pollster, {
    section: 'ring',
    path: 'v1/ring',
    everyMs: EVERY_MS,
    read: (/** @type {import('./shapes.d.ts').RingAnswer} */ { slots, owners, ranges }) => {
      return { slots, owners: owners.map(({ shard, slots: own }) => ({ owner: shard, slots: own })), ranges };
    },
    nameOf: (shard) => `shard ${shard}`,
    words: ['shard', 'shards'],
  });
}

/**
 * @param {import('./poll.js').Pollster} pollster
 * @param {RingOptions} options
 * @returns {{ select: (owner: number) => void }}
 */
export function createRing(pollster, options) {
  const { section, path, everyMs, read } = options;
  const slider = /** @type {HTMLInputElement} */ (byId(`${section}-slider`));
  /** @type {RingPicture} */
  const picture = {
    options,
    ring: undefined,
    drawn: '',
    slider,
    pieces: [],
    slotsOf: [],
    arcs: [],
    bars: [],
  };
  const select = (/** @type {number} */ wanted) =>
    selectAt(picture, picture.ring?.owners.findIndex(({ owner }) => owner === wanted) ?? NONE);
  listenSlider(picture);
  byId(section).addEventListener('pointerleave', () => selectAt(picture, NONE));
  poll(pollster, {
    section,
    path: () => path,
    everyMs,
    onData: (answer) => drawRing(picture, read(answer), select),
  });
  return { select };
}

/**
 * @param {RingPicture} picture
 * @param {RingAnswer} ring
 * @param {(owner: number) => void} select
 */
function drawRing(picture, ring, select) {
  const described = JSON.stringify(ring);
  if (described === picture.drawn) return;
  picture.drawn = described;
  picture.ring = ring;
  picture.slotsOf = slotsByPiece(ring);
  picture.pieces = drawPieces(picture);
  picture.arcs = drawArcs(picture, ring, select);
  picture.bars = drawBars(picture, ring, select);
  picture.slider.max = String(ring.owners.length - 1);
  selectAt(picture, NONE);
}

/**
 * By piece of the circle, by place of the owner: how many of its slots are there.
 * @param {RingAnswer} ring
 */
function slotsByPiece({ owners, ranges, slots }) {
  const places = new Map(owners.map(({ owner }, at) => [owner, at]));
  const counts = Array.from({ length: PIECES }, () => owners.map(() => 0));
  for (const [first, last, owner] of ranges) {
    for (let slot = first; slot <= last; slot++) {
      counts[Math.floor((slot * PIECES) / slots)][places.get(owner) ?? 0]++;
    }
  }
  return counts;
}

/** @param {RingPicture} picture */
function drawPieces({ options }) {
  const pieces = Array.from({ length: PIECES }, (_, at) => {
    return svgElement('path', {
      d: arcPath(at / PIECES, (at + 1) / PIECES, OUTER, PIECES_INNER),
      class: 'arc',
    });
  });
  byId(`${options.section}-pieces`).replaceChildren(...pieces);
  return pieces;
}

/**
 * @param {RingPicture} picture
 * @param {RingAnswer} ring
 * @param {(owner: number) => void} select
 */
function drawArcs({ options }, { owners, slots }, select) {
  let turn = 0;
  const arcs = owners.map(({ owner, slots: own }) => {
    const end = turn + own / slots;
    const arc = svgElement('path', { d: arcPath(turn, end, SHARES_OUTER, SHARES_INNER), class: 'arc' });
    turn = end;
    paint(arc, owner);
    arc.addEventListener('pointerenter', () => select(owner));
    return arc;
  });
  byId(`${options.section}-arcs`).replaceChildren(...arcs);
  return arcs;
}

/**
 * Bars from zero; the line is where all would end if all were alike.
 * @param {RingPicture} picture
 * @param {RingAnswer} ring
 * @param {(owner: number) => void} select
 */
function drawBars({ options }, ring, select) {
  const largest = Math.max(1, ...ring.owners.map(({ slots }) => slots));
  const step = BARS_WIDTH / ring.owners.length;
  const gap = step > 4 ? 2 : step / 4;
  const bars = ring.owners.map(({ owner, slots }, at) => {
    const height = (slots / largest) * (BARS_HEIGHT - 4);
    const box = { x: at * step + gap / 2, y: BARS_HEIGHT - height, width: step - gap, height, class: 'bar' };
    const bar = svgElement('rect', box);
    paint(bar, owner);
    bar.addEventListener('pointerenter', () => select(owner));
    return bar;
  });
  const mean = ring.slots / Math.max(1, ring.owners.length);
  const y = BARS_HEIGHT - (mean / largest) * (BARS_HEIGHT - 4);
  const line = svgElement('line', { x1: 0, x2: BARS_WIDTH, y1: y, y2: y, class: 'mean' });
  byId(`${options.section}-bars`).replaceChildren(...bars, line);
  return bars;
}

/**
 * Lights up one owner and tells of it; NONE tells of all.
 * @param {RingPicture} picture
 * @param {number} at its place among the owners
 */
function selectAt(picture, at) {
  const { ring, slider, arcs, bars, options } = picture;
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
  const { section, nameOf, words } = options;
  const caption = one ? `slots in ${nameOf(one.owner)}` : words[owners.length === 1 ? 0 : 1];
  const detail = one
    ? `${formatPercent(one.slots / slots)} of the ring`
    : `spread ${formatPercent(deviationOf(ring))}`;
  setText(byId(`${section}-number`), formatWhole(number));
  setText(byId(`${section}-caption`), caption);
  setText(byId(`${section}-detail`), detail);
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
    const largest = Math.max(0, ...counts);
    const place = at === NONE ? counts.indexOf(largest) : at;
    // Slots of nobody leave a gap.
    if (largest > 0) paint(piece, owners[place].owner);
    const shade = largest === 0 ? 0 : at === NONE ? 1 : 0.08 + (0.92 * counts[at]) / most;
    setProperty(piece, '--shade', shade.toFixed(2));
  });
}

/**
 * The slider that is heard and not seen: its arrow keys walk through the owners, Escape leaves.
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
 * @param {number} owner
 */
function paint(shape, owner) {
  setProperty(shape, '--paint', `var(--series-${(owner % COLOURS) + 1})`);
}

/**
 * Standard deviation of the slots per owner, over their mean.
 * @param {RingAnswer} ring
 */
function deviationOf({ owners, slots }) {
  const mean = slots / Math.max(1, owners.length);
  const squares = owners.reduce((sum, owner) => sum + (owner.slots - mean) ** 2, 0);
  return Math.sqrt(squares / Math.max(1, owners.length)) / mean;
}
