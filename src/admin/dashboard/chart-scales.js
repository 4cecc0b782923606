/**
 * Axes and ranges of the charts: from zero, with a little air on top, so that a line keeps its meaning from one look to
 * the next. The colours are those of the theme of the moment.
 */
import { formatClock, withoutTrailingZeros } from './format.js';
import { colour } from './theme.js';

const AIR = 1.12;
const FONT = '11px Inter, "Helvetica Neue", "Liberation Sans", Arial, sans-serif';
const X_AXIS_PX = 24;
const Y_AXIS_PX = 56;
const GRID_STEP_PX = 26;
const CLOCK_STEP_PX = 76;
const BINARY_EXPONENT_MAX = 50;
const LOG_FLOOR = 1;
const LOG_CEILING = 1000;

const CLOCK_STEPS_SECONDS = [5, 10, 15, 30, 60, 120, 180, 300, 600];
const TIME_STEPS_SECONDS = [
  0.1, 0.5, 1, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 86_400, 604_800,
];
const BINARY_STEPS = Array.from({ length: BINARY_EXPONENT_MAX }, (_, exponent) => 2 ** exponent);
const STEPS = { binary: BINARY_STEPS, time: TIME_STEPS_SECONDS };

/**
 * The vertical scale of a chart.
 * @param {import('./chart-definitions.js').Definition} definition
 */
export function scaleOf({ scale, floor = 1 }) {
  if (scale === 'log') return { distr: 3, log: 10, range: logRange };
  return {
    range: (/** @type {unknown} */ _, /** @type {number} */ _min, /** @type {number | null} */ max) => [
      0,
      Math.max(floor, (max ?? 0) * AIR),
    ],
  };
}

/**
 * Time below, the chart's unit on the left.
 * @param {import('./chart-definitions.js').Definition} definition
 */
export function axesOf({ format, scale, steps }) {
  const common = {
    stroke: colour('--ink-faint'),
    font: FONT,
    ticks: { show: false },
    grid: { stroke: colour('--grid'), width: 1 },
  };
  const numbers = (/** @type {unknown} */ _, /** @type {(number | null)[]} */ values) =>
    values.map((value) => (value === null ? '' : withoutTrailingZeros(format(value))));
  return [
    {
      ...common,
      size: X_AXIS_PX,
      gap: 6,
      space: CLOCK_STEP_PX,
      incrs: CLOCK_STEPS_SECONDS,
      grid: { show: false },
      values: clockValues,
    },
    {
      ...common,
      ...(steps ? { incrs: STEPS[steps] } : {}),
      size: Y_AXIS_PX,
      gap: 6,
      space: GRID_STEP_PX,
      values: numbers,
      ...(scale === 'log' ? { splits: decades } : {}),
    },
  ];
}

/**
 * Whole decades around what there is, so that the lines do not dance.
 * @param {unknown} _
 * @param {number | null} min
 * @param {number | null} max
 */
function logRange(_, min, max) {
  const bottom = 10 ** Math.floor(Math.log10(min ?? LOG_FLOOR));
  const top = 10 ** Math.ceil(Math.log10(Math.max(max ?? LOG_CEILING, bottom * 10)));
  return [bottom, top];
}

/**
 * @param {any} plot
 * @returns {number[]}
 */
function decades(plot) {
  const { min, max } = plot.scales.y;
  const splits = [];
  for (let value = min; value <= max * 1.0001; value *= 10) splits.push(value);
  return splits;
}

/**
 * @param {unknown} _
 * @param {number[]} seconds
 * @param {unknown} _axis
 * @param {unknown} _space
 * @param {number} step
 */
function clockValues(_, seconds, _axis, _space, step) {
  return seconds.map((second) => formatClock(second * 1000).slice(0, step < 60 ? 8 : 5));
}
