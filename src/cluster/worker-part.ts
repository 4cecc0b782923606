/**
 * What a worker does in a cluster besides serving: it passes commands on, feeds replicas and takes in what they are of, and lets go
 * of keys that are other nodes'.
 *
 * Once on each worker of a node of a cluster, before it serves.
 */
import { nextRandom, randomSeed } from '../base/random.ts';
import type { Engine } from '../commands/engine.ts';
import { startForwarding } from './forward.ts';
import { answerFences } from './hand-over.ts';
import { startJanitor } from './janitor.ts';
import { startReplication } from './replication.ts';

const UINT32 = 2 ** 32;

export function takePart(engine: Engine): void {
  const { cluster } = engine;
  if (cluster === undefined) return;
  if (cluster.peers !== undefined) startForwarding(engine, cluster, cluster.peers, createShares());
  startJanitor(engine, cluster.table);
  answerFences(engine);
  if (cluster.board !== undefined) startReplication(engine, cluster, cluster.board);
}

/** Chance, from 0 to below 1. */
function createShares(): () => number {
  let state = randomSeed();
  return () => {
    state = nextRandom(state);
    return (state >>> 0) / UINT32;
  };
}
