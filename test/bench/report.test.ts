/** `npm run bench:report` as a program, on a folder of its own. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';

const REPORT = fileURLToPath(new URL('../../bench/report.ts', import.meta.url));
const BEGIN = '<!-- bench:throughput-pipeline -->';
const END = '<!-- /bench:throughput-pipeline -->';

let folder = '';
let readme = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'distcache-report-'));
  readme = join(folder, 'README.md');
  writeFileSync(readme, `# Title\n${BEGIN}\nold\n${END}\nbelow\n`);
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function writeResult(file: string, options: object): void {
  const machine = { processor: 'one', cores: 2, versions: ['distcache 0.1.0'] };
  const rows = ['redis-server', 'distcache'].map((server, index) => ({
    ...{ set: 'pipeline', server, command: 'GET', setting: '1' },
    requestsPerSecond: { median: 100 + 50 * index, min: 100 + 50 * index, max: 100 + 50 * index },
    cpuUs: { median: 1, min: 1, max: 1 },
  }));
  writeFileSync(join(folder, file), JSON.stringify({ name: 'bench', machine, options, rows }));
}

function runReport(...flags: readonly string[]): void {
  const all = [REPORT, '--results', folder, '--readme', readme, ...flags];
  execFileSync(process.execPath, all, { stdio: 'pipe' });
}

test('pictures and tables are made, and put where the README has room for them', () => {
  writeResult('peers.json', { quick: false });
  writeFileSync(join(folder, 'older.json'), '{"machine":{},"results":[]}');
  runReport();
  const pictures = readdirSync(folder).filter((name) => name.endsWith('.svg'));
  expect(pictures.sort()).toEqual(['cpu-pipeline.svg', 'throughput-pipeline.svg']);
  const text = readFileSync(readme, 'utf8');
  expect(text).toMatch(/^# Title\n<!-- bench:throughput-pipeline -->\n!\[.*\]\(throughput-pipeline.svg\)\n/);
  expect(text).toContain('1.50x');
  expect(text).not.toContain('old');
  expect(text.endsWith(`${END}\nbelow\n`)).toBe(true);
  expect(readFileSync(join(folder, 'report.md'), 'utf8')).toContain('## npm run bench\n');
});

test('a quick run, which measures nothing, is not shown unless that is asked for', () => {
  writeResult('peers.json', { quick: true });
  runReport();
  expect(readFileSync(readme, 'utf8')).toContain('old');
  runReport('--quick');
  expect(readFileSync(readme, 'utf8')).toContain('1.50x');
});

test('two results of one benchmark are refused', () => {
  writeResult('one.json', {});
  writeResult('two.json', {});
  expect(() => runReport()).toThrow('two.json');
});

test('a block that no picture fills is refused, and the README stays', () => {
  writeResult('peers.json', {});
  const text = `${BEGIN}\n${END}\n<!-- bench:nothing -->\n<!-- /bench:nothing -->\n`;
  writeFileSync(readme, text);
  expect(() => runReport()).toThrow('bench:nothing');
  expect(readFileSync(readme, 'utf8')).toBe(text);
});
