/**
 * Plots as SVG text: bars or lines with whiskers for the spread, in light and dark colours as the reader's system asks. Pure.
 *
 * By hand, because what is installed draws on a canvas in a browser (uplot), and the libraries that write SVG outside of one
 * bring a document model or native code with them. What a bar and a whisker need is a scale and some rectangles.
 */
import { linearScale, logScale, type Scale, shortNumber } from './scale.ts';
import type { Spread } from './statistics.ts';
import { colourClasses, PLOT_STYLE } from './svg-style.ts';

/** One server's values, one for each category; undefined where it was not measured. */
type Series = { readonly name: string; readonly values: readonly (Spread | undefined)[] };

/** One pair of axes. */
export type Panel = {
  readonly title: string;
  readonly categories: readonly string[];
  readonly series: readonly Series[];
};

/** A whole picture: panels beside each other under one heading and one legend, all over the same kind of axes. */
export type Figure = {
  readonly title: string;
  /** What the value axis shows, and its unit. */
  readonly valueLabel: string;
  /** What the categories are. */
  readonly categoryLabel: string;
  /** For those who cannot see it: what it shows, in a sentence. */
  readonly description: string;
  readonly marks: 'bars' | 'lines';
  /** Bars begin at 0, so only lines can have a logarithmic axis. */
  readonly scale: 'linear' | 'log';
  /** Whether all panels count in the same steps, as they do where they show the same thing. */
  readonly axis: 'shared' | 'own';
  readonly panels: readonly Panel[];
};

type Area = { readonly left: number; readonly top: number; readonly width: number; readonly height: number };

const WIDTH = 860;
const MARGIN = 20;
const TITLE_BASELINE = 34;
const LABEL_BASELINE = 55;
const LEGEND_BASELINE = 80;
const LEGEND_LINE = 20;
const LEGEND_MARK_WIDTH = 18;
const LEGEND_GAP = 18;
const COLUMNS_MAX = 2;
const COLUMN_GAP = 24;
const PANEL_TITLE_HEIGHT = 26;
const PLOT_HEIGHT = 220;
const TICK_LABEL_WIDTH = 44;
const CATEGORY_LINE = 14;
const FOOT_HEIGHT = 16;
/** Wide enough for letters of 12 pixels in the fonts that PLOT_STYLE names. */
const LETTER_WIDTH = 6.7;
const BAR_WIDTH_MAX = 44;
/** Of the room that a category has, what stays free beside its bars. */
const GROUP_GAP = 0.24;
/** More bars than this in a panel, and the numbers above them would run into each other. */
const NUMBERED_BARS_WIDTH_MIN = 30;
const WHISKER_HALF_WIDTH = 4;
const WHISKER_HEIGHT_MIN = 1.5;
const MARK_RADIUS = 4;

/** The whole file. */
export function figureSvg(figure: Figure): string {
  const names = seriesNames(figure);
  const classes = new Map(names.map((name, index) => [name, colourClasses(names)[index]]));
  const { lines, marks: legend } = drawLegend(names, classes, figure.marks);
  const columns = Math.min(COLUMNS_MAX, figure.panels.length);
  const width = (WIDTH - 2 * MARGIN - (columns - 1) * COLUMN_GAP) / columns;
  const panelHeight =
    PANEL_TITLE_HEIGHT + PLOT_HEIGHT + labelLines(figure, width) * CATEGORY_LINE + FOOT_HEIGHT;
  const top = LEGEND_BASELINE + (lines - 1) * LEGEND_LINE + 14;
  const panels = figure.panels.map((panel, index) => {
    const left = MARGIN + (index % columns) * (width + COLUMN_GAP);
    return drawPanel(figure, panel, classes, {
      left,
      top: top + Math.floor(index / columns) * panelHeight,
      width,
      height: PLOT_HEIGHT,
    });
  });
  const height = top + Math.ceil(figure.panels.length / columns) * panelHeight + FOOT_HEIGHT;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-labelledby="title desc">`,
    `<title id="title">${escapeText(figure.title)}</title>`,
    `<desc id="desc">${escapeText(figure.description)}</desc>`,
    `<style>${PLOT_STYLE}</style>`,
    `<rect class="paper" width="${WIDTH}" height="${height}" rx="8"/>`,
    text(MARGIN, TITLE_BASELINE, figure.title, 'title'),
    text(MARGIN, LABEL_BASELINE, figure.valueLabel, 'muted'),
    legend,
    ...panels,
    text(WIDTH / 2, height - 12, figure.categoryLabel, 'muted middle'),
    '</svg>\n',
  ].join('\n');
}

/** The names of all panels' series, each once, in the order in which they first come. */
export function seriesNames({ panels }: Figure): string[] {
  return [...new Set(panels.flatMap(({ series }) => series.map(({ name }) => name)))];
}

/** Cuts a label between words into lines of at most so many letters; a longer word has a line of its own. */
export function wrapWords(label: string, lettersMax: number): string[] {
  const lines: string[] = [];
  for (const word of label.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= lettersMax)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

function drawLegend(
  names: readonly string[],
  classes: ReadonlyMap<string, string>,
  marks: Figure['marks'],
): { lines: number; marks: string } {
  let x = MARGIN;
  let line = 0;
  const parts = names.map((name, index) => {
    const width = LEGEND_MARK_WIDTH + name.length * LETTER_WIDTH + LEGEND_GAP;
    if (x > MARGIN && x + width > WIDTH - MARGIN) {
      x = MARGIN;
      line += 1;
    }
    const y = LEGEND_BASELINE + line * LEGEND_LINE;
    const shape =
      marks === 'bars'
        ? `<rect class="fill" x="${x}" y="${y - 10}" width="12" height="12" rx="2"/>`
        : drawMark(x + 6, y - 4, index);
    const part = `<g class="${classes.get(name)}">${shape}</g>${text(x + LEGEND_MARK_WIDTH, y, name, '')}`;
    x += width;
    return part;
  });
  return { lines: line + 1, marks: parts.join('\n') };
}

function drawPanel(figure: Figure, panel: Panel, classes: ReadonlyMap<string, string>, place: Area): string {
  const plot: Area = {
    left: place.left + TICK_LABEL_WIDTH,
    top: place.top + PANEL_TITLE_HEIGHT,
    width: place.width - TICK_LABEL_WIDTH,
    height: place.height,
  };
  const scale = scaleOf(figure, panel);
  const names = seriesNames(figure);
  const draw = figure.marks === 'bars' ? drawBars : drawLine;
  const series = panel.series.map((one, index) => {
    const marks = draw(one, panel, index, names.indexOf(one.name), plot, scale);
    return `<g class="${classes.get(one.name)}">${marks}</g>`;
  });
  return [
    text(plot.left, place.top + 14, panel.title, 'panel'),
    drawTicks(scale, plot),
    drawCategories(panel, plot),
    ...series,
  ].join('\n');
}

function scaleOf({ scale, axis, panels }: Figure, panel: Panel): Scale {
  const spreads = (axis === 'shared' ? panels : [panel])
    .flatMap(({ series }) => series.flatMap(({ values }) => values))
    .filter((value) => value !== undefined);
  const largest = Math.max(0, ...spreads.map(({ max }) => max));
  if (scale === 'linear') return linearScale(largest);
  const above = spreads.map(({ min }) => min).filter((min) => min > 0);
  return above.length === 0 ? logScale(0.1, 1) : logScale(Math.min(...above), largest);
}

function drawTicks({ ticks, at }: Scale, { left, top, width, height }: Area): string {
  return ticks
    .map((tick) => {
      const y = round(top + height * (1 - at(tick)));
      const line = `<line class="${at(tick) === 0 ? 'axis' : 'grid'}" x1="${round(left)}" x2="${round(left + width)}" y1="${y}" y2="${y}"/>`;
      return `${line}${text(left - 6, y + 4, shortNumber(tick), 'muted end')}`;
    })
    .join('\n');
}

function drawCategories({ categories }: Panel, plot: Area): string {
  const lettersMax = lettersFor(plot.width / categories.length);
  return categories
    .flatMap((category, index) =>
      wrapWords(category, lettersMax).map((line, row) =>
        text(
          centreOf(plot, index, categories.length),
          plot.top + plot.height + 17 + row * CATEGORY_LINE,
          line,
          'muted middle',
        ),
      ),
    )
    .join('\n');
}

function drawBars(
  { values }: Series,
  { categories, series }: Panel,
  place: number,
  _name: number,
  plot: Area,
  scale: Scale,
): string {
  const room = (plot.width / categories.length) * (1 - GROUP_GAP);
  const barWidth = Math.min(BAR_WIDTH_MAX, room / series.length);
  return values
    .map((value, index) => {
      if (value === undefined) return '';
      const left = centreOf(plot, index, categories.length) + (place - series.length / 2) * barWidth;
      const barHeight = plot.height * scale.at(value.median);
      const foot = plot.top + plot.height;
      const bar = `<rect class="fill" x="${round(left + 1)}" y="${round(foot - barHeight)}" width="${round(barWidth - 2)}" height="${round(barHeight)}" rx="1.5"/>`;
      const peak = plot.top + plot.height * (1 - scale.at(value.max));
      const number = text(left + barWidth / 2, peak - 5, shortNumber(value.median), 'number middle');
      return `${bar}${drawWhisker(left + barWidth / 2, value, plot, scale, 'whisker')}${barWidth >= NUMBERED_BARS_WIDTH_MIN ? number : ''}`;
    })
    .join('');
}

function drawLine(
  { values }: Series,
  { categories }: Panel,
  _place: number,
  name: number,
  plot: Area,
  scale: Scale,
): string {
  const points = values.flatMap((value, index) => {
    if (value === undefined) return [];
    const x = round(centreOf(plot, index, categories.length));
    return [{ x, y: round(plot.top + plot.height * (1 - scale.at(value.median))), value }];
  });
  const path = points.map(({ x, y }) => `${x},${y}`).join(' ');
  const marks = points.map(
    ({ x, y, value }) => `${drawWhisker(x, value, plot, scale, 'spread')}${drawMark(x, y, name)}`,
  );
  return `<polyline class="stroke" points="${path}"/>${marks.join('')}`;
}

/** From the least to the largest value, where they differ by what can be seen. */
function drawWhisker(
  x: number,
  { min, max }: Spread,
  { top, height }: Area,
  { at }: Scale,
  look: 'whisker' | 'spread',
): string {
  const low = round(top + height * (1 - at(min)));
  const high = round(top + height * (1 - at(max)));
  if (low - high < WHISKER_HEIGHT_MIN) return '';
  const [from, middle, to] = [x - WHISKER_HALF_WIDTH, x, x + WHISKER_HALF_WIDTH].map(round);
  return `<path class="${look}" d="M${from} ${high}H${to}M${middle} ${high}V${low}M${from} ${low}H${to}"/>`;
}

/** Shapes as well as colours, for those who do not tell the colours apart. */
function drawMark(x: number, y: number, index: number): string {
  const r = MARK_RADIUS;
  const shapes = [
    `<circle class="fill" cx="${x}" cy="${y}" r="${r}"/>`,
    `<rect class="fill" x="${round(x - r + 0.5)}" y="${round(y - r + 0.5)}" width="${2 * r - 1}" height="${2 * r - 1}"/>`,
    `<path class="fill" d="M${x} ${round(y - r - 1)}L${round(x + r + 1)} ${y}L${x} ${round(y + r + 1)}L${round(x - r - 1)} ${y}Z"/>`,
    `<path class="fill" d="M${x} ${round(y - r - 1)}L${round(x + r + 1)} ${round(y + r)}H${round(x - r - 1)}Z"/>`,
  ];
  return shapes[index % shapes.length];
}

/** Of the labels below the panels, the most lines that one takes. */
function labelLines({ panels }: Figure, width: number): number {
  const counts = panels.flatMap(({ categories }) => {
    const lettersMax = lettersFor((width - TICK_LABEL_WIDTH) / categories.length);
    return categories.map((category) => wrapWords(category, lettersMax).length);
  });
  return Math.max(1, ...counts);
}

function lettersFor(width: number): number {
  return Math.floor(width / LETTER_WIDTH) - 1;
}

function centreOf({ left, width }: Area, index: number, count: number): number {
  return left + (width * (index + 0.5)) / count;
}

function text(x: number, y: number, content: string, classes: string): string {
  const look = classes === '' ? '' : ` class="${classes}"`;
  return `<text${look} x="${round(x)}" y="${round(y)}">${escapeText(content)}</text>`;
}

function round(value: number): number {
  return Number(value.toFixed(1));
}

function escapeText(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
