/**
 * The sizing answer: what the hit ratio would be with half and with double the memory, and the curve behind it, as the
 * server estimates them from a sample of the keys.
 */
import { axesOf } from './chart-scales.js';
import { byId, element, emptyState, setProperty, setText } from './dom.js';
import { formatBytes, formatCount, formatPercent } from './format.js';
import { poll } from './poll.js';
import { colour } from './theme.js';

const EVERY_MS = 5000;
/** Less of a difference than this is none. */
const RATIO_NOTICED = 0.001;

/** @typedef {import('./shapes.d.ts').MissRatioAnswer} MissRatioAnswer */

/** @typedef {{ answer: MissRatioAnswer | undefined, plot: any, plotElement: HTMLElement }} Sizing */

/**
 * @param {import('./poll.js').Pollster} pollster
 * @returns {{ recolour: () => void }}
 */
export function createSizing(pollster) {
  const plotElement = element('div', { class: 'plot', 'aria-hidden': 'true' });
  const empty = emptyState(
    'Too few reads so far to tell. The answer appears once clients have read keys for a while.',
  );
  byId('sizing-curve').append(plotElement, empty);
  /** @type {Sizing} */
  const sizing = { answer: undefined, plot: undefined, plotElement };
  new ResizeObserver(() => {
    const { clientWidth: width, clientHeight: height } = plotElement;
    if (sizing.plot && width > 0) sizing.plot.setSize({ width, height });
  }).observe(plotElement);
  poll(pollster, {
    section: 'sizing',
    path: () => 'v1/miss-ratio',
    everyMs: EVERY_MS,
    onData: (/** @type {MissRatioAnswer} */ answer) => {
      const isKnown = answer.curve.length > 1;
      sizing.answer = isKnown ? answer : undefined;
      plotElement.hidden = !isKnown;
      empty.hidden = isKnown;
      writeAnswer(answer);
      drawCurve(sizing);
    },
  });
  return {
    recolour: () => {
      sizing.plot?.destroy();
      sizing.plot = undefined;
      drawCurve(sizing);
    },
  };
}

/** @param {MissRatioAnswer} answer */
function writeAnswer(answer) {
  for (const [id, { bytes, hitRatio }] of Object.entries({
    half: answer.half,
    now: answer.now,
    double: answer.double,
  })) {
    setText(byId(`sizing-${id}-ratio`), formatPercent(hitRatio));
    setText(byId(`sizing-${id}-bytes`), formatBytes(bytes));
    setProperty(byId(`sizing-${id}`), '--meter', String(hitRatio ?? 0));
  }
  setText(byId('sizing-answer'), answerText(answer));
}

/** @param {MissRatioAnswer} answer */
function answerText({ half, now, double, sampledKeys }) {
  if (half.hitRatio === null || now.hitRatio === null || double.hitRatio === null) return '\u00a0';
  const gain = double.hitRatio - now.hitRatio;
  const loss = now.hitRatio - half.hitRatio;
  const more =
    gain > RATIO_NOTICED
      ? `Double the memory would save ${formatPercent(gain / Math.max(1e-9, 1 - now.hitRatio))} of the misses`
      : 'More memory would change nothing';
  const less = loss > RATIO_NOTICED ? `half would cost ${points(loss)}` : 'half would do as well';
  return `${more}; ${less}. From ${formatCount(sampledKeys)} sampled keys.`;
}

/** @param {number} difference */
function points(difference) {
  return `${(100 * difference).toFixed(1)} points of hit ratio`;
}

/** @param {Sizing} sizing */
function drawCurve(sizing) {
  const { answer, plotElement } = sizing;
  if (answer === undefined) return;
  const data = [answer.curve.map(({ bytes }) => bytes), answer.curve.map(({ missRatio }) => 1 - missRatio)];
  if (sizing.plot === undefined) sizing.plot = createPlot(sizing, plotElement, data);
  else sizing.plot.setData(data);
}

/**
 * @param {Sizing} sizing
 * @param {HTMLElement} plotElement
 * @param {number[][]} data
 */
function createPlot(sizing, plotElement, data) {
  const [, ratioAxis] = axesOf({
    id: '',
    title: '',
    hint: '',
    format: formatPercent,
    scale: 'ratio',
    lines: [],
  });
  const stroke = colour('--series-1');
  const options = {
    width: plotElement.clientWidth,
    height: plotElement.clientHeight,
    legend: { show: false },
    padding: [18, 14, 0, 0],
    cursor: { show: false },
    scales: {
      x: { time: false, distr: 3, log: 2 },
      y: { range: [0, 1] },
    },
    axes: [
      {
        ...ratioAxis,
        size: 24,
        space: 80,
        grid: { show: false },
        values: (/** @type {unknown} */ _, /** @type {(number | null)[]} */ values) =>
          values.map((value) => (value === null ? '' : formatBytes(value).replace(/\.0+(?=\D)/, ''))),
      },
      ratioAxis,
    ],
    series: [
      {},
      {
        stroke,
        fill: stroke.replace('rgb(', 'rgba(').replace(')', ', 0.12)'),
        width: 2,
        points: { show: false },
      },
    ],
    hooks: { draw: [(/** @type {any} */ plot) => drawMarks(plot, sizing.answer)] },
  };
  return new uPlot(/** @type {any} */ (options), /** @type {any} */ (data), plotElement);
}

/**
 * Upright lines at half, now and double.
 * @param {any} plot
 * @param {MissRatioAnswer | undefined} answer
 */
function drawMarks(plot, answer) {
  if (answer === undefined) return;
  const { ctx, bbox } = plot;
  const ratio = devicePixelRatio;
  ctx.save();
  ctx.font = `${11 * ratio}px Inter, "Helvetica Neue", "Liberation Sans", Arial, sans-serif`;
  ctx.textAlign = 'center';
  for (const [label, { bytes, hitRatio }] of Object.entries({
    half: answer.half,
    now: answer.now,
    double: answer.double,
  })) {
    const x = plot.valToPos(bytes, 'x', true);
    if (hitRatio === null || x < bbox.left || x > bbox.left + bbox.width) continue;
    const isNow = label === 'now';
    ctx.strokeStyle = ctx.fillStyle = colour(isNow ? '--ink' : '--ink-faint');
    ctx.lineWidth = ratio;
    ctx.setLineDash(isNow ? [] : [4 * ratio, 4 * ratio]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.fillText(label, x, bbox.top - 5 * ratio);
    ctx.beginPath();
    ctx.arc(x, plot.valToPos(hitRatio, 'y', true), 3.5 * ratio, 0, 2 * Math.PI);
    ctx.fill();
  }
  ctx.restore();
}
