/** Tests of commands for clients of HTTP on a node of a cluster: what was changed around the end of its lease. */
import { describe, expect, it } from 'vitest';
import {
  AT_ONCE,
  createCommandRunner,
  createHttpSession,
  runCommand,
  whenReplySafe,
} from '../../src/admin/command-runner.ts';
import { createLogBoardBuffer, openLogBoard } from '../../src/durability/log-board.ts';
import { createRequest, parseRequest } from '../../src/resp/request-parser.ts';
import { type Bus, createBus } from '../../src/threads/bus.ts';
import { createSettling } from '../../src/threads/settling.ts';
import { clusterTable } from '../support/cluster-table.ts';
import { createHarness } from '../support/harness.ts';
import { requestBytes } from '../support/request-bytes.ts';

const LEASE_ENDS_MS = 100;

function openRunner() {
  const clock = { sharedMs: 0 };
  const cluster = clusterTable({ nodes: 1, leaseEndsMs: LEASE_ENDS_MS, sharedMs: () => clock.sharedMs });
  const { engine } = createHarness({ cluster });
  const bus: Bus = createBus(0, () => undefined, []);
  const settling = createSettling(bus, openLogBoard(createLogBoardBuffer(1, 1), 1), 1, () => 0);
  const runner = createCommandRunner(engine, settling);
  const session = createHttpSession(engine, '127.0.0.1:1', 0, AT_ONCE);
  const run = (...words: string[]): string => {
    const input = Buffer.from(requestBytes(...words));
    const request = createRequest();
    const bounds = { bulkBytesMax: 1024, argumentsMax: 16, authenticated: true };
    parseRequest(request, input, 0, input.length, bounds);
    expect(runCommand(runner, session, input, request.spans.slice(0, 2 * request.count))).toBeUndefined();
    return runner.reply.bytes.toString('latin1', 0, runner.reply.length);
  };
  /** What hinders the reply; null where nothing does. */
  const troubleOf = (isWrite: boolean): string | null | undefined => {
    let detail: string | null | undefined;
    whenReplySafe(runner, isWrite, settling.turns, (trouble) => {
      detail = trouble?.detail ?? null;
    });
    return detail;
  };
  return { clock, run, troubleOf };
}

describe('a change of a client of HTTP', () => {
  it('is answered before the end of the lease', () => {
    const { run, troubleOf } = openRunner();
    expect(run('SET', 'a', '1')).toBe('+OK\r\n');
    expect(troubleOf(true)).toBeNull();
  });

  it('is not taken for done behind it; what was only read is answered', () => {
    const { clock, run, troubleOf } = openRunner();
    run('SET', 'a', '1');
    clock.sharedMs = LEASE_ENDS_MS;
    expect(troubleOf(true)).toMatch(/lease was over .* may not last/);
    expect(troubleOf(false)).toBeNull();
  });
});
