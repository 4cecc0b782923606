/** Tests of `distcache cluster ...`: what it asks, what it prints, and its exit codes, against nodes that answer as told. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runClusterTool } from '../../src/cluster/command-line.ts';
import type { ClusterNodeReading, ClusterReading } from '../../src/metrics/cluster-reading.ts';
import { SLOT_COUNT } from '../../src/routing/slot.ts';
import { bulkReply, type FakeNode, startFakeNode } from '../support/fake-node.ts';
import { freePort } from '../support/redis-server.ts';
import { nodeId } from '../support/topologies.ts';

const HALF = SLOT_COUNT / 2;

let nodes: FakeNode[] = [];
/** What the nodes say of the cluster, in their order; the last of a list is said for ever. */
let readings: ClusterReading[][] = [];
let replies: Record<string, string> = {};
let printed: string[] = [];
let errors: string[] = [];
let isConfirmed = false;
let environment: Record<string, string> = {};

beforeEach(async () => {
  nodes = [];
  for (const number of [0, 1]) nodes.push(await startFakeNode((words) => answer(number, words)));
  readings = [0, 1].map((own) => [readingOf(own)]);
  [replies, printed, errors, isConfirmed, environment] = [{}, [], [], false, {}];
});

afterEach(() => {
  for (const node of nodes) node.close();
});

function answer(number: number, words: string[]): string | undefined {
  const command = words.join(' ');
  if (replies[command] !== undefined) return replies[command];
  if (words[0] === 'AUTH') return '+OK\r\n';
  if (command !== 'CLUSTER STATUS') return '-ERR unknown\r\n';
  const said = readings[number].length > 1 ? readings[number].shift() : readings[number][0];
  return bulkReply(JSON.stringify(said));
}

/** Node `own` as it sees two nodes that share the slots, all well. */
function readingOf(own: number, change: Partial<ClusterReading> = {}): ClusterReading {
  return {
    ...{ name: 'test', ownId: nodeId(own), coordinatorId: nodeId(0), epoch: 7 },
    ...{ isCovered: true, isServing: true, leaseLeftMs: 2400, wholeReplicas: HALF, handingOver: 0 },
    slots: { own: HALF, replica: HALF, importing: 0, strange: 0 },
    keys: { own: 1000 + own, replica: 5, importing: 0, strange: 0 },
    ...{ coveredSlots: SLOT_COUNT, movingSlots: 0 },
    nodes: [0, 1].map((number) => nodeOf(number, own)),
    ...change,
  };
}

function nodeOf(number: number, own: number, change: Partial<ClusterNodeReading> = {}): ClusterNodeReading {
  return {
    ...{ id: nodeId(number), index: number, host: '127.0.0.1', port: nodes[number].port, tlsPort: 0 },
    ...{ httpPort: 0, weight: 100, isAlive: true, isOwn: number === own, isCoordinator: number === 0 },
    ...{ slots: HALF, replicas: HALF, coming: 0, fedSlots: HALF, fedWhole: HALF, fedHeardAgoMs: 1 },
    ...{
      isFed: true,
      fedBehindBytes: 0,
      fedInFlightBytes: 0,
      fedCopies: 1,
      heldSlots: HALF,
      heldWhole: HALF,
    },
    ...{ circuit: 'closed', pingMs: 1, commandsPerSecond: 1 },
    ...change,
  };
}

function run(...words: string[]): Promise<number> {
  const at = words.includes('--port') ? [] : ['--port', `${nodes[0].port}`];
  return runClusterTool([...words, ...at], {
    terminal: {
      print: (line) => void printed.push(line),
      confirm: async (question) => {
        printed.push(question);
        return isConfirmed;
      },
    },
    printError: (line) => void errors.push(line),
    environment,
    readFile: (path) => {
      if (path === 'secret.txt') return 'from a file\n';
      throw new Error(`no file '${path}'`);
    },
  });
}

describe('a command line', () => {
  test.each([
    [[]],
    [['dance']],
    [['status', 'more']],
    [['forget']],
    [['forget', 'a', 'b']],
    [['leave', '--never']],
    [['status', '--wait', 'long']],
    [['status', '--port', 'six']],
  ])('that makes no sense is answered with the usage: %j', async (words) => {
    expect(await run(...words)).toBe(64);
    expect(errors[0]).toMatch(/^Usage: distcache cluster COMMAND/);
    expect(nodes[0].commands).toEqual([]);
  });

  test('for a node that is not there, or does not let the operator in, says so', async () => {
    const port = await freePort();
    expect(await run('status', '--port', `${port}`)).toBe(69);
    expect(errors).toEqual([`distcache: 127.0.0.1:${port} cannot be reached: ECONNREFUSED`]);
    replies['CLUSTER STATUS'] = '-NOAUTH Authentication required.\r\n';
    expect(await run('status')).toBe(69);
    expect(errors[1]).toBe(`distcache: 127.0.0.1:${nodes[0].port} answered: NOAUTH Authentication required.`);
  });

  test('logs in with the password of the environment or of a file, which is never an argument', async () => {
    environment.REDISCLI_AUTH = 'from outside';
    await run('status');
    expect(nodes[0].commands[0]).toBe('AUTH from outside');
    await run('status', '--user', 'admin', '--password-file', 'secret.txt');
    expect(nodes[0].commands.at(-2)).toBe('AUTH admin from a file');
    expect(nodes[1].commands.at(-2)).toBe('AUTH admin from a file');
    expect(await run('status', '--password-file', 'missing.txt')).toBe(69);
    expect(errors).toEqual(["distcache: no file 'missing.txt'"]);
  });

  test('for a server that is no node of a cluster says so', async () => {
    replies['CLUSTER STATUS'] = '+what?\r\n';
    expect(await run('status')).toBe(69);
    expect(errors).toEqual(['distcache: the node does not say how its cluster stands']);
    nodes[0].close();
  });
});

describe('status', () => {
  test('shows every node with what it says of itself, and whether all is well', async () => {
    expect(await run('status')).toBe(0);
    const [a, b] = nodes.map(({ port }) => `127.0.0.1:${port}`);
    expect(printed).toEqual([
      'cluster test, epoch 7: 16384 of 16384 slots have an owner that is alive, 0 are moving',
      '',
      `node        ${'address'.padEnd(a.length)}  state   weight  slots  keys  replicas  whole  coming  lease`,
      `9e3779b9 *  ${a}  serves     100   8192  1000      8192   8192       0  2.4 s`,
      `3c6ef372    ${b}  serves     100   8192  1001      8192   8192       0  2.4 s`,
      '',
      'all is well: every slot is in its place, and every replica whole',
    ]);
  });

  test('ends with 0 while slots move, and with 1 when some are not served', async () => {
    readings[0] = [readingOf(0, { movingSlots: 3 })];
    expect(await run('status')).toBe(0);
    expect(printed.at(-1)).toBe('every slot is served; slots are moving, or replicas are not whole yet');
    readings[0] = [readingOf(0)];
    readings[1] = [readingOf(1, { wholeReplicas: 7 })];
    expect(await run('status')).toBe(0);
    readings[1] = [readingOf(1, { isServing: false })];
    expect(await run('status')).toBe(1);
    expect(printed.at(-1)).toBe('some slots are not served');
    expect(printed.at(-3)).toContain('does not serve');
    readings[0] = [readingOf(0, { coveredSlots: 5 })];
    expect(await run('status')).toBe(1);
  });

  test('shows nodes that are gone or silent', async () => {
    const own = readingOf(0);
    readings[0] = [{ ...own, coveredSlots: HALF, nodes: [own.nodes[0], nodeOf(1, 0, { isAlive: false })] }];
    expect(await run('status')).toBe(1);
    expect(printed.at(-3)).toMatch(/ {2}gone +100 +8192 +- +8192 +- +0 +-$/);
    readings[0] = [{ ...own, nodes: [own.nodes[0], nodeOf(1, 0, { port: await freePort() })] }];
    expect(await run('status')).toBe(1);
    expect(printed.at(-3)).toContain('  silent  ');
  });

  test('waits until everything is in its place, as long as it may', async () => {
    readings[0] = [readingOf(0, { movingSlots: 9 }), readingOf(0)];
    expect(await run('status', '--wait', '5')).toBe(0);
    expect(printed[0]).toContain('0 are moving');
    readings[0] = [readingOf(0, { movingSlots: 9 })];
    expect(await run('status', '--wait', '1')).toBe(1);
    expect(printed.at(-1)).toContain('slots are moving');
  });
});

describe('leave', () => {
  test('has the node give its slots away, and says how far that is', async () => {
    replies['CLUSTER LEAVE'] = '+OK\r\n';
    const withSlots = (slots: number, replicas: number) =>
      readingOf(0, { nodes: [nodeOf(0, 0, { slots, replicas }), nodeOf(1, 0)] });
    readings[0] = [withSlots(9, 5), withSlots(9, 5), withSlots(0, 1), withSlots(0, 0)];
    expect(await run('leave')).toBe(0);
    expect(nodes[0].commands[0]).toBe('CLUSTER LEAVE');
    expect(printed).toEqual([
      '9 slots to give away, 5 to stop copying',
      '0 slots to give away, 1 to stop copying',
      'the node has no slots any more: it can be stopped',
    ]);
  });

  test('says why it is not done', async () => {
    replies['CLUSTER LEAVE'] = '-ERR there is no other node\r\n';
    expect(await run('leave')).toBe(69);
    expect(errors[0]).toContain('answered: ERR there is no other node');
  });
});

describe('forget', () => {
  beforeEach(() => {
    replies[`CLUSTER FORGET ${nodeId(1)}`] = '+OK\r\n';
    const gone = nodeOf(1, 0, { isAlive: false });
    readings[0] = [readingOf(0, { nodes: [nodeOf(0, 0), gone] })];
  });

  const hasForgotten = () => nodes[0].commands.some((command) => command.startsWith('CLUSTER FORGET'));

  test('asks before it gives a node up, and does nothing without a yes', async () => {
    expect(await run('forget', '3c6e')).toBe(1);
    expect(printed).toContain('Forget node 3c6ef372?');
    expect(printed.at(-1)).toBe('nothing was changed');
    expect(hasForgotten()).toBe(false);
    isConfirmed = true;
    expect(await run('forget', '3c6e')).toBe(0);
    expect(hasForgotten()).toBe(true);
  });

  test('does not ask when it is told yes', async () => {
    expect(await run('forget', nodeId(1), '--yes')).toBe(0);
    expect(printed[0]).toContain(`node ${nodeId(1)} is gone; 8192 slots of it`);
    expect(printed).not.toContain('Forget node 3c6ef372?');
    expect(printed.at(-1)).toBe('node 3c6ef372 is forgotten');
  });

  test('refuses a node that is alive, unknown, or not the only one of that name', async () => {
    expect(await run('forget', '9e37', '--yes')).toBe(1);
    expect(await run('forget', 'ffff', '--yes')).toBe(1);
    expect(await run('forget', '', '--yes')).toBe(1);
    expect(printed).toEqual([
      "node 9e3779b9 is alive: 'distcache cluster leave' takes its slots from it",
      "no node's id begins with 'ffff'",
      "the ids of 2 nodes begin with ''",
    ]);
    expect(hasForgotten()).toBe(false);
  });
});

describe('failover', () => {
  test('asks the node, with force if told so', async () => {
    replies['CLUSTER FAILOVER'] = '+OK\r\n';
    replies['CLUSTER FAILOVER FORCE'] = '+OK\r\n';
    expect(await run('failover')).toBe(0);
    expect(await run('failover', '--force')).toBe(0);
    expect(nodes[0].commands).toEqual(['CLUSTER FAILOVER', 'CLUSTER FAILOVER FORCE']);
    expect(printed[0]).toBe('the node owns now what it had whole replicas of');
  });
});
