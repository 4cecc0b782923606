/**
 * The last words of a test run: `N passed, N failed`, counted from the run itself, on the last line. Skipped
 * tests are named before it. With NO_SKIPPED_TESTS=1 (continuous integration, where everything that a test
 * needs is installed) a skipped test counts as failed.
 */
import type { Reporter, TestModule, TestRunEndReason } from 'vitest/node';

/** What a run came to. `broken` are errors outside any test: a file that does not load, a hook that throws. */
export type Tally = {
  passed: number;
  failed: number;
  broken: number;
  skipped: string[];
  interrupted: boolean;
};

/** A vitest reporter, to stand last in the list of reporters. */
export function createTestTally(noSkips: boolean): Reporter {
  return {
    onTestRunEnd(modules, unhandledErrors, reason) {
      const tally = tallyOf(modules, unhandledErrors.length, reason);
      process.stdout.write(`${tallyLines(tally, noSkips).join('\n')}\n`);
      if (failureCount(tally, noSkips) > 0) process.exitCode = 1;
    },
  };
}

/** The lines to print, the count always last. */
export function tallyLines(tally: Tally, noSkips: boolean): string[] {
  const lines = tally.skipped.map((name) => `${noSkips ? 'skipped, which fails here' : 'skipped'}: ${name}`);
  if (tally.skipped.length > 0) lines.push(`${tally.skipped.length} skipped`);
  if (tally.interrupted) lines.push('the run was interrupted');
  lines.push(`${tally.passed} passed, ${failureCount(tally, noSkips)} failed`);
  return lines;
}

function failureCount(tally: Tally, noSkips: boolean): number {
  const skippedFailures = noSkips ? tally.skipped.length : 0;
  return tally.failed + tally.broken + skippedFailures + (tally.interrupted ? 1 : 0);
}

function tallyOf(modules: readonly TestModule[], unhandled: number, reason: TestRunEndReason): Tally {
  const tally: Tally = {
    passed: 0,
    failed: 0,
    broken: unhandled,
    skipped: [],
    interrupted: reason === 'interrupted',
  };
  for (const module of modules) addModule(tally, module);
  return tally;
}

function addModule(tally: Tally, module: TestModule): void {
  tally.broken += module.errors().length;
  for (const suite of module.children.allSuites()) tally.broken += suite.errors().length;
  for (const test of module.children.allTests()) {
    const state = test.result().state;
    if (state === 'passed') tally.passed += 1;
    else if (state === 'failed') tally.failed += 1;
    else tally.skipped.push(`${module.relativeModuleId} > ${test.fullName}`);
  }
}
