/**
 * A real server that is fuzzed, and looked at afterwards: its log, its count of internal errors, its stop, and a start with
 * what it has kept.
 */
import { createDataFolder } from '../lasting-folder.ts';
import { openWire } from '../wire.ts';
import { type FuzzPlan, type FuzzReport, runFuzz } from './run.ts';

type ServerPlan = Omit<FuzzPlan, 'port'> & { readonly flags?: readonly string[] };

const LINES_TOLD_MAX = 3;

export async function fuzzServer({ flags = [], ...plan }: ServerPlan): Promise<FuzzReport> {
  const folder = createDataFolder();
  try {
    const server = await folder.start(flags);
    const report = await runFuzz({ ...plan, port: server.port });
    const findings = [...report.findings];
    const metrics = await (await fetch(`http://127.0.0.1:${server.httpPort}/metrics`)).text();
    if (/^distcache_internal_errors_total\S* [^0]/m.test(metrics))
      findings.push('the server counts internal errors');
    const code = await server.stop();
    if (code !== 0) findings.push(`the server ended with ${code}`);
    const errors = server
      .output()
      .split('\n')
      .filter((line) => line.includes('"level":"error"'));
    findings.push(...errors.slice(0, LINES_TOLD_MAX));
    const again = await folder.start(flags);
    const wire = await openWire(again.port);
    if ((await wire.ask('PING')) !== '+PONG') findings.push('the server does not answer after its restart');
    wire.close();
    await again.stop();
    return { ...report, findings };
  } finally {
    await folder.remove();
  }
}
