/** Main's pings: what they find, and what they do for the circuit breaker. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type PeerPings, startPings, stopPings } from '../../src/cluster/peer-pings.ts';
import { PEER_PING_MS } from '../../src/config/limits-cluster.ts';
import { stateName } from '../../src/resilience/circuit-breaker.ts';
import {
  createPeerBoardBuffer,
  openPeerBoard,
  PEER_COMMANDS_PER_SECOND,
  PEER_HEARD_MS,
  PEER_LATENCY_MS,
  type PeerBoard,
  peerNumber,
} from '../../src/resilience/peer-board.ts';
import { bulk, createForwardWorld, type ForwardWorld, until } from '../support/forward-world.ts';

let world: ForwardWorld;
let board: PeerBoard;
let pings: PeerPings;

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const flags = ['--cluster-peer-timeout', '300', '--cluster-breaker-reset-ms', '60000'];
  world = await createForwardWorld(flags);
  const { engine } = world.harness;
  board = openPeerBoard(createPeerBoardBuffer(), engine.config);
  pings = startPings(engine, world.cluster, board);
});

afterEach(async () => {
  stopPings(pings);
  vi.useRealTimers();
  await world.close();
});

const beat = () => vi.advanceTimersByTime(PEER_PING_MS);
const isHeard = (node: number) => peerNumber(board, node, PEER_HEARD_MS) > 0;

describe('a ping a second', () => {
  it('finds how far a node is, and how busy, over one connection', async () => {
    world.peers[1].answer = ([name]) =>
      name === 'PING' ? '+PONG\r\n' : bulk('# Stats\r\ninstantaneous_ops_per_sec:1234\r\n');
    beat();
    await until(() => isHeard(1) && peerNumber(board, 1, PEER_COMMANDS_PER_SECOND) > 0);
    expect(peerNumber(board, 1, PEER_COMMANDS_PER_SECOND)).toBe(1234);
    expect(peerNumber(board, 1, PEER_LATENCY_MS)).toBeGreaterThan(0);
    beat();
    await until(() => world.peers[1].requests.length === 4);
    expect(world.peers[1].accepted).toBe(1);
    expect(world.peers[1].requests.slice(0, 2)).toEqual(['PING', 'INFO stats']);
  });

  it('goes to all other nodes, and not to this one', async () => {
    beat();
    await until(() => isHeard(1) && isHeard(2));
    expect(world.peers[0].accepted).toBe(0);
  });

  it('that is not answered opens the circuit, and one that is closes it', async () => {
    world.peers[1].answer = () => undefined;
    beat();
    await until(() => stateName(board.breakers[1]) === 'open');
    expect(isHeard(1)).toBe(false);
    world.peers[1].answer = () => '+PONG\r\n';
    await until(() => {
      beat();
      return stateName(board.breakers[1]) === 'closed';
    });
    expect(isHeard(1)).toBe(true);
  });

  it('ends with the node', async () => {
    beat();
    await until(() => isHeard(1));
    stopPings(pings);
    await until(() => world.peers[1].connections.size === 0);
    beat();
    expect(world.peers[1].accepted).toBe(1);
  });
});
