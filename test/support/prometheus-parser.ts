/**
 * A strict reader of the Prometheus text format 0.0.4, and of OpenMetrics 1.0: it refuses whatever a scraper could stumble over, and things that a
 * scraper forgives (a family in two pieces, samples without HELP and TYPE, a histogram that does not add up).
 */
type ParsedSample = { name: string; labels: Record<string, string>; value: number };

/** `unit` only where the format tells it. */
export type ParsedFamily = {
  name: string;
  type: string;
  unit: string;
  help: string;
  samples: ParsedSample[];
};

const HELP_LINE = /^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) ((?:[^\\\n]|\\\\|\\n)*)$/;
const TYPE_LINE = /^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram|summary|untyped)$/;
const OPEN_METRICS_HELP_LINE = /^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) ((?:[^\\"\n]|\\\\|\\n|\\")*)$/;
const UNIT_LINE = /^# UNIT ([a-zA-Z_:][a-zA-Z0-9_:]*) ([a-z]+)$/;
const SAMPLE_LINE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.+)\})? (\S+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"(,|$)/y;
const NUMBER = /^(?:[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|[+-]?Inf|NaN)$/;

type Suffixes = Readonly<Record<string, readonly string[]>>;

/** What stands behind the family's name in its samples. */
const TEXT_SUFFIXES: Suffixes = {
  counter: [''],
  gauge: [''],
  histogram: ['_bucket', '_sum', '_count'],
  summary: ['', '_sum', '_count'],
  untyped: [''],
};
const OPEN_METRICS_SUFFIXES: Suffixes = { ...TEXT_SUFFIXES, counter: ['_total'] };
const OPEN_METRICS_END = '# EOF\n';

/** The families by name, a counter's without `_total`. Throws with the line that is wrong. */
export function parseOpenMetrics(text: string): Map<string, ParsedFamily> {
  if (!text.endsWith(OPEN_METRICS_END)) throw new Error('the page does not end with # EOF');
  const families = new Map<string, ParsedFamily>();
  const seen = new Set<string>();
  let family: ParsedFamily | undefined;
  for (const line of text.slice(0, -OPEN_METRICS_END.length).split('\n').slice(0, -1)) {
    if (line.startsWith('# TYPE ')) {
      const [, name, type] = TYPE_LINE.exec(line) ?? [];
      if (name === undefined || families.has(name)) throw new Error(`a bad TYPE line: ${line}`);
      if (name.endsWith('_total')) throw new Error(`a family ends with _total: ${line}`);
      family = { name, type, unit: '', help: '', samples: [] };
      families.set(name, family);
    } else if (line.startsWith('#')) {
      describeFamily(line, family);
    } else {
      refuseTwice(seen, parseSample(line, family, OPEN_METRICS_SUFFIXES));
    }
  }
  for (const parsed of families.values()) checkFamily(parsed);
  return families;
}

/** The families by name. Throws with the line that is wrong. */
export function parsePrometheusText(text: string): Map<string, ParsedFamily> {
  if (!text.endsWith('\n')) throw new Error('the last line does not end with a line feed');
  const families = new Map<string, ParsedFamily>();
  const seen = new Set<string>();
  let family: ParsedFamily | undefined;
  for (const line of text.slice(0, -1).split('\n')) {
    if (line.startsWith('# HELP ')) {
      family = parseHelp(line);
      if (families.has(family.name)) throw new Error(`a family in two pieces: ${line}`);
      families.set(family.name, family);
    } else if (line.startsWith('#')) {
      parseType(line, family);
    } else {
      refuseTwice(seen, parseSample(line, family, TEXT_SUFFIXES));
    }
  }
  for (const parsed of families.values()) checkFamily(parsed);
  return families;
}

function describeFamily(line: string, family: ParsedFamily | undefined): void {
  const [, unitOf, unit] = UNIT_LINE.exec(line) ?? [];
  const [, helpOf, help] = OPEN_METRICS_HELP_LINE.exec(line) ?? [];
  if (family?.name !== (unitOf ?? helpOf) || family.samples.length > 0)
    throw new Error(`a bad comment: ${line}`);
  if (unit !== undefined) {
    if (!family.name.endsWith(`_${unit}`)) throw new Error(`the name has another unit: ${line}`);
    if (family.unit !== '' || family.help !== '') throw new Error(`a UNIT line in the wrong place: ${line}`);
    family.unit = unit;
  } else {
    if (family.help !== '') throw new Error(`a HELP line too many: ${line}`);
    family.help = unescaped(help);
  }
}

function refuseTwice(seen: Set<string>, { name, labels }: ParsedSample): void {
  const series = `${name} ${JSON.stringify(Object.entries(labels).sort())}`;
  if (seen.has(series)) throw new Error(`the same series twice: ${series}`);
  seen.add(series);
}

function parseHelp(line: string): ParsedFamily {
  const [, name, help] = HELP_LINE.exec(line) ?? [];
  if (name === undefined) throw new Error(`a bad HELP line: ${line}`);
  return { name, type: '', unit: '', help: unescaped(help), samples: [] };
}

function parseType(line: string, family: ParsedFamily | undefined): void {
  const [, name, type] = TYPE_LINE.exec(line) ?? [];
  if (name === undefined) throw new Error(`a bad comment: ${line}`);
  if (family?.name !== name || family.type !== '' || family.samples.length > 0) {
    throw new Error(`TYPE must follow the HELP of its family: ${line}`);
  }
  family.type = type;
}

function parseSample(line: string, family: ParsedFamily | undefined, suffixes: Suffixes): ParsedSample {
  const [, name, labelText = '', number] = SAMPLE_LINE.exec(line) ?? [];
  if (name === undefined || !NUMBER.test(number)) throw new Error(`a bad sample: ${line}`);
  if (family === undefined || family.type === '') throw new Error(`a sample before HELP and TYPE: ${line}`);
  if (!suffixes[family.type].some((suffix) => name === family.name + suffix))
    throw new Error(`not of its family: ${line}`);
  const sample = {
    name,
    labels: parseLabels(labelText, line),
    value: Number(number.replace('Inf', 'Infinity')),
  };
  family.samples.push(sample);
  return sample;
}

function parseLabels(text: string, line: string): Record<string, string> {
  const labels: Record<string, string> = {};
  let position = 0;
  while (position < text.length) {
    LABEL.lastIndex = position;
    const [matched, name, value, separator] = LABEL.exec(text) ?? [];
    if (matched === undefined || name in labels) throw new Error(`bad labels: ${line}`);
    if (separator === ',' && position + matched.length === text.length)
      throw new Error(`a comma too many: ${line}`);
    labels[name] = unescaped(value);
    position += matched.length;
  }
  return labels;
}

function unescaped(text: string): string {
  return text.replace(/\\(.)/g, (_, character) => (character === 'n' ? '\n' : character));
}

function checkFamily(family: ParsedFamily): void {
  if (family.type === '' || family.samples.length === 0)
    throw new Error(`${family.name} has no TYPE or no sample`);
  if (family.type === 'histogram') checkHistogram(family);
}

/** In each series: bounds and counts ascend, the last bound is +Inf, and it equals the count. */
function checkHistogram({ name, samples }: ParsedFamily): void {
  const series = Map.groupBy(samples, ({ labels }) => {
    const { le, ...others } = labels;
    return JSON.stringify(Object.entries(others).sort());
  });
  for (const members of series.values()) {
    const buckets = members.filter((sample) => sample.name === `${name}_bucket`);
    const bounds = buckets.map(({ labels }) => Number((labels.le ?? 'none').replace('Inf', 'Infinity')));
    const counts = buckets.map(({ value }) => value);
    const count = members.find((sample) => sample.name === `${name}_count`)?.value;
    const sum = members.find((sample) => sample.name === `${name}_sum`)?.value;
    const ascending = bounds.every(
      (bound, i) => i === 0 || (bound > bounds[i - 1] && counts[i] >= counts[i - 1]),
    );
    if (!ascending) throw new Error(`the buckets of ${name} do not ascend`);
    if (bounds.at(-1) !== Number.POSITIVE_INFINITY) throw new Error(`${name} does not end with +Inf`);
    if (counts.at(-1) !== count || sum === undefined) throw new Error(`${name} does not add up`);
  }
}
