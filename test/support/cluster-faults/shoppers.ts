/** A library's cluster client that works all the while, as an application would: with retries, and no request of its may fail. */
import { Cluster } from 'ioredis';
import type { Address } from '../node-call.ts';

export type Shoppers = {
  /** Resolves, when what is under way has ended, to how many requests there were and what failed. */
  finish(): Promise<{ readonly requests: number; readonly failures: readonly string[] }>;
};

const PAUSE_MS = 2;
const KEYS = 1_000;
const RETRIES_MAX = 100;
const RETRY_MS = 100;

/** Begins at once. */
export function startShoppers(nodes: readonly Address[]): Shoppers {
  const cluster = new Cluster(
    nodes.map(({ host, port }) => ({ host, port })),
    {
      maxRedirections: RETRIES_MAX,
      retryDelayOnFailover: RETRY_MS,
      retryDelayOnClusterDown: RETRY_MS,
      retryDelayOnTryAgain: RETRY_MS,
      clusterRetryStrategy: () => RETRY_MS,
      slotsRefreshTimeout: 5_000,
    },
  );
  cluster.on('error', () => undefined);
  const failures: string[] = [];
  let requests = 0;
  let isDone = false;
  const loop = async () => {
    while (!isDone) {
      const key = `shop:${requests % KEYS}`;
      requests += 2;
      try {
        await cluster.set(key, `${requests}`);
        await cluster.get(key);
      } catch (error) {
        failures.push((error as Error).message);
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  };
  const looping = loop();
  return {
    finish: async () => {
      isDone = true;
      await looping;
      cluster.disconnect();
      return { requests, failures };
    },
  };
}
