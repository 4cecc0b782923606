/** Makes pictures and their tables from the rows of a result. Pure. */
import type { FigureSpec, Point } from './figures.ts';
import { type Column, markdownTable, spreadText } from './markdown.ts';
import type { BenchResult } from './result.ts';
import { shortNumber } from './scale.ts';
import { ratioText, type Spread } from './statistics.ts';
import { type Figure, type Panel, seriesNames } from './svg.ts';

const BASE_SERIES = 'redis-server';
/** More series than this stand below each other, where there is one panel. */
const COLUMNS_MAX = 4;

/** The picture, undefined where the result has none of its rows. */
export function buildFigure(spec: FigureSpec, { rows }: BenchResult): Figure | undefined {
  const points = rows.flatMap((row) => spec.pointsOf(row));
  if (points.length === 0) return undefined;
  const panels = unique(points.map(({ panel }) => panel)).map((title) =>
    buildPanel(
      title,
      points.filter(({ panel }) => panel === title),
    ),
  );
  const { title, valueLabel, categoryLabel, marks, scale, axis } = spec;
  const description = `${spec.description} ${panels.map(panelSentence).join(' ')}`;
  return { title, valueLabel, categoryLabel, description, marks, scale, axis, panels };
}

/** All values with their spreads: a line for each category, a column for each series. */
export function valuesTable(figure: Figure, digits: number): string {
  return table(figure, seriesNames(figure), (value) => spreadText(value, 1, digits));
}

/** Each series as a ratio to redis-server's in the same category; the values where redis-server was not measured. */
export function ratiosTable(figure: Figure, digits: number): string {
  const names = seriesNames(figure);
  if (!names.includes(BASE_SERIES)) return valuesTable(figure, digits);
  const others = names.filter((name) => name !== BASE_SERIES);
  return table(figure, others, (value, base) => (base === undefined ? '-' : ratioText(value, base)));
}

function table(
  figure: Figure,
  names: readonly string[],
  cellOf: (value: Spread, base: Spread | undefined) => string,
): string {
  const [panel] = figure.panels;
  if (figure.panels.length === 1 && names.length > COLUMNS_MAX) {
    const columns = [textColumn(''), ...panel.categories.map(numberColumn)];
    const cellsOf = (name: string) => panel.categories.map((_, index) => cellIn(panel, name, index, cellOf));
    return markdownTable(
      columns,
      names.map((name) => [name, ...cellsOf(name)]),
    );
  }
  const hasTitles = figure.panels.some(({ title }) => title !== '');
  const hasCategories = figure.panels.some(({ categories }) =>
    categories.some((category) => category !== ''),
  );
  const columns = [
    ...(hasTitles ? [textColumn('')] : []),
    ...(hasCategories ? [textColumn(figure.categoryLabel)] : []),
    ...names.map(numberColumn),
  ];
  const rows = figure.panels.flatMap((one) =>
    one.categories.map((category, index) => [
      ...(hasTitles ? [one.title] : []),
      ...(hasCategories ? [category] : []),
      ...names.map((name) => cellIn(one, name, index, cellOf)),
    ]),
  );
  return markdownTable(columns, rows);
}

function cellIn(
  { series }: Panel,
  name: string,
  index: number,
  cellOf: (value: Spread, base: Spread | undefined) => string,
): string {
  const valueFor = (wanted: string): Spread | undefined =>
    series.find((one) => one.name === wanted)?.values[index];
  const value = valueFor(name);
  return value === undefined ? '-' : cellOf(value, valueFor(BASE_SERIES));
}

function textColumn(heading: string): Column {
  return { heading, align: 'left' };
}

function numberColumn(heading: string): Column {
  return { heading, align: 'right' };
}

function buildPanel(title: string, points: readonly Point[]): Panel {
  const categories = unique(points.map(({ category }) => category));
  const series = unique(points.map((point) => point.series)).map((name) => ({
    name,
    values: categories.map(
      (category) => points.find((point) => point.series === name && point.category === category)?.value,
    ),
  }));
  return { title, categories, series };
}

/** For those who hear the picture read. */
function panelSentence({ title, categories, series }: Panel): string {
  const told = series.map(({ name, values }) => {
    const numbers = values.map((value, index) =>
      value === undefined ? '' : `${categories[index]} ${shortNumber(value.median)}`.trim(),
    );
    return `${name} ${numbers.filter((number) => number !== '').join(', ')}`;
  });
  return `${title === '' ? '' : `${title}: `}${told.join('; ')}.`;
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)];
}
