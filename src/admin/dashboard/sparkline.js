/**
 * A small line without axes behind a number: how it came to be what it is. SVG, one path for the line and one below it.
 */
import { svgElement } from './dom.js';

const WIDTH = 200;
const HEIGHT = 40;
const AIR = 2;

/**
 * @typedef {object} Sparkline
 * @property {SVGSVGElement} element
 * @property {SVGPathElement} line
 * @property {SVGPathElement} area
 */

/** @returns {Sparkline} */
export function createSparkline() {
  const line = svgElement('path', { class: 'spark-line' });
  const area = svgElement('path', { class: 'spark-area' });
  const box = {
    class: 'spark',
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    preserveAspectRatio: 'none',
    'aria-hidden': 'true',
  };
  return { element: svgElement('svg', box, area, line), line, area };
}

/**
 * Draws numbers over the whole width, from `bottom` up.
 * @param {Sparkline} sparkline
 * @param {readonly (number | null)[]} values oldest first
 * @param {number} capacity how many values fill the width; fewer of them stand at the right
 * @param {number} bottom
 */
export function drawSparkline(sparkline, values, capacity, bottom) {
  const span = Math.max(1e-9, Math.max(...values.map((value) => value ?? 0)) - bottom);
  const step = WIDTH / Math.max(1, capacity - 1);
  let x = WIDTH - (values.length - 1) * step;
  const points = [];
  for (const value of values) {
    const y = HEIGHT - AIR - (Math.max(0, (value ?? 0) - bottom) / span) * (HEIGHT - 2 * AIR);
    points.push(`${x.toFixed(1)} ${y.toFixed(1)}`);
    x += step;
  }
  const path = points.length > 1 ? `M${points.join('L')}` : '';
  const start = (WIDTH - (values.length - 1) * step).toFixed(1);
  sparkline.line.setAttribute('d', path);
  sparkline.area.setAttribute('d', path === '' ? '' : `${path}L${WIDTH} ${HEIGHT}L${start} ${HEIGHT}Z`);
}
