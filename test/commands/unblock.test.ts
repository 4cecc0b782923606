/** CLIENT UNBLOCK of clients that wait for keys; of those that wait for replicas see wait.test.ts. */
import { beforeEach, describe, expect, it } from 'vitest';
import {
  current,
  expectNobodyWaits,
  NIL,
  replies,
  settled,
  useBlockedClients,
  waiting,
} from '../support/blocked-clients.ts';
import type { Harness } from '../support/harness.ts';

useBlockedClients();

let harness: Harness;
beforeEach(() => {
  harness = current();
});

describe('CLIENT UNBLOCK', () => {
  it.each([
    [[], NIL],
    [['TIMEOUT'], NIL],
    [['error'], '-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n'],
  ])('%j ends a wait', async (reason, reply) => {
    const { id } = waiting('BLPOP', 'a', '0');
    await settled();
    harness.run('CLIENT', 'UNBLOCK', `${id}`, ...reason);
    await settled();
    expect(replies()).toEqual([reply, ':1\r\n']);
    harness.run('CLIENT', 'UNBLOCK', `${id}`, ...reason);
    await settled();
    expect(replies()).toEqual([':0\r\n']);
    expectNobodyWaits();
  });
});
