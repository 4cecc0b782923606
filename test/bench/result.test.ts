/** The shape of result files. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { describeMachine } from '../../bench/support/machine.ts';
import { writeResult } from '../../bench/support/result.ts';

test('a result file tells its benchmark, the machine, the flags but for paths, and the rows', () => {
  const folder = mkdtempSync(join(tmpdir(), 'distcache-result-'));
  try {
    const path = join(folder, 'result.json');
    const machine = describeMachine(['a 1']);
    const rows = [{ set: 's', server: 'a', cpuUs: { median: 2, min: 1, max: 3 }, pipeline: 1 }];
    const options = { rounds: 3, quick: true, dir: folder, json: path };
    writeResult(path, { name: 'bench:some', machine, options, rows });
    const written: unknown = JSON.parse(readFileSync(path, 'utf8'));
    expect(written).toEqual({ name: 'bench:some', machine, options: { rounds: 3, quick: true }, rows });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
