/**
 * The charts over time: each a card with a uPlot canvas and a legend that carries the numbers of the moment under the
 * pointer, or the last ones. All share one window of time and one pointer. Only what is seen is drawn.
 */
import { CHARTS, OTHER_COLOUR, STACK_COLOURS } from './chart-definitions.js';
import { axesOf, scaleOf } from './chart-scales.js';
import { byId, element, setText } from './dom.js';
import { formatClock } from './format.js';
import { columnOf, commandNames } from './history.js';
import { colour } from './theme.js';

/** Where the page has no sample yet, the window ends at this moment of no meaning. */
const NO_TIME = 1;
const SYNC_KEY = 'time';
const FILL_ALPHA = 0.14;
const STACK_ALPHA = 0.55;

/**
 * @typedef {object} Chart
 * @property {import('./chart-definitions.js').Definition} definition
 * @property {HTMLElement} plotElement
 * @property {HTMLElement} legendElement
 * @property {HTMLElement} momentElement
 * @property {{ line: import('./chart-definitions.js').Line, value: HTMLElement }[]} legend
 * @property {import('./chart-definitions.js').Line[]} lines
 * @property {any} plot
 * @property {boolean} isSeen
 * @property {boolean} isDue whether what it shows is older than the history
 *
 * @typedef {object} ChartGroup
 * @property {import('./history.js').History} history
 * @property {Chart[]} charts
 * @property {number} windowSeconds
 * @property {boolean} isFramed whether a drawing is under way
 */

/**
 * Fills the page's cards with charts of this history.
 * @param {import('./history.js').History} history
 * @param {number} windowSeconds
 * @returns {ChartGroup}
 */
export function createCharts(history, windowSeconds) {
  /** @type {ChartGroup} */
  const group = { history, charts: [], windowSeconds, isFramed: false };
  group.charts = CHARTS.map((definition) => createChart(group, definition));
  document.addEventListener('visibilitychange', () => drawSoon(group));
  return group;
}

/**
 * The history has changed: draws with the next frame what is seen.
 * @param {ChartGroup} group
 */
export function drawCharts(group) {
  for (const chart of group.charts) chart.isDue = true;
  drawSoon(group);
}

/**
 * @param {ChartGroup} group
 * @param {number} seconds
 */
export function setWindow(group, seconds) {
  group.windowSeconds = seconds;
  drawCharts(group);
}

/**
 * The colours have changed.
 * @param {ChartGroup} group
 */
export function recolourCharts(group) {
  for (const chart of group.charts) dropPlot(chart);
  drawCharts(group);
}

/**
 * @param {ChartGroup} group
 * @param {import('./chart-definitions.js').Definition} definition
 * @returns {Chart}
 */
function createChart(group, definition) {
  const card = byId(definition.id);
  const momentElement = element('span', { class: 'moment' });
  const plotElement = element('div', { class: 'plot', 'aria-hidden': 'true' });
  const legendElement = element('div', { class: 'legend' });
  const heading = element('h3', { title: definition.hint }, definition.title);
  card.append(element('header', { class: 'card-head' }, heading, momentElement), plotElement, legendElement);
  /** @type {Chart} */
  const chart = {
    definition,
    plotElement,
    legendElement,
    momentElement,
    legend: [],
    lines: [],
    plot: undefined,
    isSeen: false,
    isDue: true,
  };
  watchSight(group, chart);
  return chart;
}

/**
 * @param {ChartGroup} group
 * @param {Chart} chart
 */
function watchSight(group, chart) {
  new IntersectionObserver((entries) => {
    chart.isSeen = entries[entries.length - 1].isIntersecting;
    drawSoon(group);
  }).observe(chart.plotElement);
  new ResizeObserver(() => {
    const { clientWidth: width, clientHeight: height } = chart.plotElement;
    if (chart.plot && width > 0) chart.plot.setSize({ width, height });
  }).observe(chart.plotElement);
}

/** @param {ChartGroup} group */
function drawSoon(group) {
  if (group.isFramed || document.hidden) return;
  group.isFramed = true;
  requestAnimationFrame(() => {
    group.isFramed = false;
    for (const chart of group.charts) {
      if (!chart.isSeen || !chart.isDue) continue;
      chart.isDue = false;
      drawChart(group, chart);
    }
  });
}

/**
 * @param {ChartGroup} group
 * @param {Chart} chart
 */
function drawChart(group, chart) {
  const { history, windowSeconds } = group;
  const lines = linesOf(history, chart.definition);
  if (chart.plot === undefined || !sameLines(lines, chart.lines)) {
    dropPlot(chart);
    chart.lines = lines;
    drawLegend(group, chart);
    chart.plot = createPlot(group, chart);
  }
  const end = history.times.at(-1) ?? NO_TIME;
  chart.plot.batch(() => {
    chart.plot.setData(dataOf(history, chart), false);
    chart.plot.setScale('x', { min: end - windowSeconds, max: end });
  });
  writeLegend(group, chart, chart.plot.cursor.idx);
}

/** @param {Chart} chart */
function dropPlot(chart) {
  chart.plot?.destroy();
  chart.plot = undefined;
}

/**
 * @param {import('./history.js').History} history
 * @param {import('./chart-definitions.js').Definition} definition
 */
function linesOf(history, definition) {
  if (definition.scale !== 'stack') return definition.lines;
  return commandNames(history).map((name, index) => {
    const isOther = name === 'other';
    return {
      column: `commands.${name}`,
      label: isOther ? 'other' : name.toUpperCase().replace('|', ' '),
      colour: isOther ? OTHER_COLOUR : STACK_COLOURS[index % STACK_COLOURS.length],
    };
  });
}

/**
 * @param {import('./chart-definitions.js').Line[]} one
 * @param {import('./chart-definitions.js').Line[]} other
 */
function sameLines(one, other) {
  return one.length === other.length && one.every(({ column }, index) => column === other[index].column);
}

/**
 * Times, then one array per line; in a stack each line lies on top of those before it.
 * @param {import('./history.js').History} history
 * @param {Chart} chart
 */
function dataOf(history, { definition, lines }) {
  const columns = lines.map(({ column }) => columnOf(history, column));
  if (definition.scale === 'log' || definition.isZeroNone)
    return [history.times, ...columns.map(positiveOnly)];
  if (definition.scale !== 'stack') return [history.times, ...columns];
  const operations = columnOf(history, 'opsPerSecond');
  const below = operations.map(() => 0);
  const stacked = columns.map((column) =>
    column.map((value, at) => {
      below[at] += value ?? 0;
      return operations[at] === null ? null : below[at];
    }),
  );
  return [history.times, ...stacked];
}

/**
 * A logarithm has no zero, and what did not happen took no time.
 * @param {(number | null)[]} column
 */
function positiveOnly(column) {
  return column.map((value) => (value !== null && value > 0 ? value : null));
}

/**
 * @param {ChartGroup} group
 * @param {Chart} chart
 */
function createPlot(group, chart) {
  const { definition, lines, plotElement } = chart;
  const isStack = definition.scale === 'stack';
  const options = {
    width: plotElement.clientWidth,
    height: plotElement.clientHeight,
    legend: { show: false },
    padding: [8, 16, 0, 0],
    cursor: {
      sync: { key: SYNC_KEY },
      drag: { x: false, y: false },
      points: { show: !isStack, size: 6 },
      y: false,
    },
    scales: { x: { time: true }, y: scaleOf(definition) },
    axes: axesOf(definition),
    series: [{}, ...lines.map((line) => seriesOf(line, definition))],
    bands: isStack ? lines.slice(1).map((_, index) => ({ series: [index + 2, index + 1] })) : [],
    hooks: { setCursor: [(/** @type {any} */ plot) => writeLegend(group, chart, plot.cursor.idx)] },
  };
  return new uPlot(
    /** @type {any} */ (options),
    /** @type {any} */ (dataOf(group.history, chart)),
    plotElement,
  );
}

/**
 * @param {import('./chart-definitions.js').Line} line
 * @param {import('./chart-definitions.js').Definition} definition
 */
function seriesOf(line, { scale, isZeroNone }) {
  const isStack = scale === 'stack';
  const stroke = colour(line.colour);
  const fill = isStack || line.filled ? withAlpha(stroke, isStack ? STACK_ALPHA : FILL_ALPHA) : undefined;
  const dash = line.dashed ? [5, 4] : undefined;
  return { stroke, fill, dash, width: isStack ? 1 : 1.5, spanGaps: isZeroNone, points: { show: false } };
}

/**
 * @param {string} rgb `rgb(1, 2, 3)`
 * @param {number} alpha
 */
function withAlpha(rgb, alpha) {
  return rgb.replace('rgb(', 'rgba(').replace(')', `, ${alpha})`);
}

/**
 * @param {ChartGroup} group
 * @param {Chart} chart
 */
function drawLegend(group, chart) {
  chart.legend = chart.lines.map((line) => {
    return { line, value: element('b', {}) };
  });
  const items = chart.legend.map(({ line, value }) => {
    const swatch = element('i', { class: line.dashed ? 'swatch dashed' : 'swatch' });
    swatch.style.setProperty('--swatch', `var(${line.colour})`);
    return element('span', { class: 'legend-item' }, swatch, line.label, value);
  });
  chart.legendElement.replaceChildren(...items);
  writeLegend(group, chart, null);
}

/**
 * @param {ChartGroup} group
 * @param {Chart} chart
 * @param {number | null | undefined} pointed the row under the pointer
 */
function writeLegend({ history }, chart, pointed) {
  const row = pointed ?? history.times.length - 1;
  const isPointed = typeof pointed === 'number' && history.times.length > 0;
  setText(chart.momentElement, isPointed ? formatClock(history.times[row] * 1000) : '');
  for (const { line, value } of chart.legend) {
    setText(value, chart.definition.format(columnOf(history, line.column)[row]));
  }
}
