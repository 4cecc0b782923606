/**
 * `npm run bench:report`: makes pictures (SVG) and tables of the result files in bench/results, one page that shows them all,
 * and puts pictures with short tables into the marked blocks of the README.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildFigure, ratiosTable, valuesTable } from './support/figure-build.ts';
import { FIGURES, type FigureSpec } from './support/figures.ts';
import { machineText } from './support/machine.ts';
import { replaceBlocks } from './support/marked-blocks.ts';
import { BadFlag, type Options, runBenchmark, tellProgress } from './support/options.ts';
import type { BenchResult } from './support/result.ts';
import { type Figure, figureSvg } from './support/svg.ts';

/** `quick`: takes results of quick runs too, which measure nothing: to look at the pictures. */
const DEFAULTS = {
  results: fileURLToPath(new URL('./results', import.meta.url)),
  readme: fileURLToPath(new URL('../README.md', import.meta.url)),
  quick: false,
};

type ReportOptions = Options<typeof DEFAULTS>;
type Made = { readonly spec: FigureSpec; readonly figure: Figure; readonly result: BenchResult };

const REPORT_FILE = 'report.md';

await runBenchmark(DEFAULTS, main);

async function main(options: ReportOptions): Promise<void> {
  const results = readResults(options);
  const made: Made[] = [];
  for (const spec of FIGURES) {
    const result = results.find(({ name }) => name === spec.bench);
    const figure = result === undefined ? undefined : buildFigure(spec, result);
    if (result === undefined || figure === undefined) {
      tellProgress(`${spec.name}: no rows (npm run ${spec.bench} -- --json ...)`);
      continue;
    }
    writeFileSync(join(options.results, `${spec.name}.svg`), figureSvg(figure));
    made.push({ spec, figure, result });
  }
  writeFileSync(join(options.results, REPORT_FILE), reportText(made));
  fillReadme(options, made);
}

/** The results that have the common shape. Throws a BadFlag where there are two of one benchmark. */
function readResults({ results, quick }: ReportOptions): BenchResult[] {
  const found: BenchResult[] = [];
  for (const file of readdirSync(results)
    .filter((name) => name.endsWith('.json'))
    .sort()) {
    const result = JSON.parse(readFileSync(join(results, file), 'utf8')) as Partial<BenchResult>;
    if (!isResult(result)) tellProgress(`${file} has another shape: left out`);
    else if (result.options.quick === true && !quick) tellProgress(`${file} is of a quick run: left out`);
    else if (found.some(({ name }) => name === result.name))
      throw new BadFlag(`${file}: ${result.name} is in another file too`);
    else found.push(result);
  }
  return found;
}

function isResult(result: Partial<BenchResult>): result is BenchResult {
  return typeof result.name === 'string' && result.machine !== undefined && Array.isArray(result.rows);
}

/** All pictures with all values, benchmark by benchmark. */
function reportText(made: readonly Made[]): string {
  const benches = [...new Set(made.map(({ result }) => result))];
  const parts = benches.map((result) => {
    const own = made.filter((one) => one.result === result);
    return `## npm run ${result.name}\n\n${machineText(result.machine)}${own.map(figureText).join('\n')}`;
  });
  return `# Report\n\nMade by \`npm run bench:report\` from the result files beside it. Medians (least-largest).\n\n${parts.join('\n')}`;
}

function figureText({ spec, figure }: Made): string {
  const table = valuesTable(figure, spec.digits);
  return `### ${figure.title}\n\n![${spec.description}](${spec.name}.svg)\n\n${figure.valueLabel}\n\n${table}`;
}

function fillReadme({ readme, results }: ReportOptions, made: readonly Made[]): void {
  const folder = relative(dirname(readme), results);
  const blocks = new Map(made.map((one) => [one.spec.name, blockText(one, folder)]));
  const { text, replaced, left } = replaceBlocks(readFileSync(readme, 'utf8'), blocks);
  const unknown = left.find((name) => !FIGURES.some((spec) => spec.name === name));
  if (unknown !== undefined)
    throw new BadFlag(`${readme}: bench:${unknown} is none of ${FIGURES.map(({ name }) => name).join(', ')}`);
  if (replaced.length > 0) writeFileSync(readme, text);
  tellProgress(`${replaced.length} blocks written, ${left.length} left as they are`);
}

function blockText({ spec, figure, result }: Made, folder: string): string {
  const isRatios = spec.table === 'ratios';
  const table = isRatios ? ratiosTable(figure, spec.digits) : valuesTable(figure, spec.digits);
  const heading = isRatios
    ? `${figure.title}, to redis-server in the same run`
    : `${figure.title}: ${figure.valueLabel}`;
  return `![${spec.description}](${join(folder, `${spec.name}.svg`)})\n\n${heading} (\`npm run ${result.name}\`):\n\n${table}`;
}
