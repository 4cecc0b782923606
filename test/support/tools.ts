/**
 * Command-line tools against the server: run to their end, and a `describe` that is skipped, with the reason in its name,
 * where one is not installed.
 */
import { spawn, spawnSync } from 'node:child_process';
import { describe } from 'vitest';

export type ToolRun = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

/** A `describe` that needs these programs on the PATH. */
export function describeWithTools(name: string, tools: readonly string[], body: () => void): void {
  const missing = tools.filter((tool) => spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0);
  const title = missing.length === 0 ? name : `${name} (skipped: ${missing.join(', ')} not installed)`;
  describe.skipIf(missing.length > 0)(title, body);
}

/** Runs a program with `input` on its standard input, which is then closed. */
export function runTool(
  program: string,
  programArguments: readonly string[],
  input: string | Uint8Array = '',
): Promise<ToolRun> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, programArguments, { stdio: ['pipe', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString('latin1');
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString('latin1');
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
    // A program that ends before it has read all of its input is its own business.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });
}
