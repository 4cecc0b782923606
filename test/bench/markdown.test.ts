/** Tables and the numbers in them. */
import { expect, test } from 'vitest';
import { markdownTable, mebibytes, percentText, spreadText } from '../../bench/support/markdown.ts';

test('a table is padded to its widest cell and sets numbers to the right', () => {
  const columns = [
    { heading: 'server', align: 'left' },
    { heading: 'P', align: 'right' },
  ] as const;
  const rows = [
    ['redis-server', '1'],
    ['ours', '12345'],
  ];
  expect(markdownTable(columns, rows)).toBe(
    [
      '| server       |     P |',
      '| ------------ | ----: |',
      '| redis-server |     1 |',
      '| ours         | 12345 |',
      '',
    ].join('\n'),
  );
});

test('a bar in a cell does not end the cell', () => {
  expect(markdownTable([{ heading: 'x', align: 'left' }], [['a|b']])).toContain('| a\\|b |');
});

test('a spread is told in its unit, and as one number when it has no width', () => {
  expect(spreadText({ median: 1_234_567, min: 1_000_000, max: 2_000_000 }, 1000, 0)).toBe('1235 (1000-2000)');
  expect(spreadText({ median: 1.5, min: 1.5, max: 1.5 }, 1, 2)).toBe('1.50');
});

test('bytes are told in MiB and shares in percent', () => {
  expect(mebibytes(1.5 * 2 ** 20)).toBe('1.5 MiB');
  expect(percentText(0.8567)).toBe('85.7 %');
});
