/**
 * Those who watch a server while it works: pages that listen to /v1/live and a Prometheus that scrapes /metrics. They read
 * everything and keep nothing.
 */
import { get } from 'node:http';

export type Watchers = {
  /** What they have got so far. */
  readonly got: { events: number; scrapes: number; bytes: number };
  readonly stop: () => void;
};

/** Resolves once all listen. Throws when one is refused. */
export async function startWatchers(
  httpPort: number,
  listeners: number,
  scrapeEveryMs: number,
): Promise<Watchers> {
  const got = { events: 0, scrapes: 0, bytes: 0 };
  const closes = await Promise.all(Array.from({ length: listeners }, () => listen(httpPort, got)));
  const timer = setInterval(() => void scrape(httpPort, got), scrapeEveryMs);
  const stop = (): void => {
    clearInterval(timer);
    for (const close of closes) close();
  };
  return { got, stop };
}

function listen(port: number, got: Watchers['got']): Promise<() => void> {
  return new Promise((resolve, reject) => {
    const request = get({ host: '127.0.0.1', port, path: '/v1/live', agent: false }, (response) => {
      if (response.statusCode !== 200) {
        reject(new Error(`/v1/live answered ${response.statusCode}`));
        return;
      }
      response.on('error', () => undefined);
      response.on('data', (chunk: Buffer) => {
        got.events += 1;
        got.bytes += chunk.length;
      });
      resolve(() => void request.destroy());
    });
    request.on('error', reject);
  });
}

/** A scrape that fails is not counted, which tells. */
async function scrape(port: number, got: Watchers['got']): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${port}/metrics`).catch(() => undefined);
  if (response === undefined || !response.ok) return;
  got.bytes += (await response.arrayBuffer()).byteLength;
  got.scrapes += 1;
}
