/**
 * A client that behaves while others do not, on a thread of its own: its pings are answered in time, and a key that only it
 * knows is never another's. Ends when it is told to.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { openWire } from '../wire.ts';

export type WatchReport = { readonly pings: number; readonly finding?: string };

const { port } = workerData as { port: number };
/** Whatever the others send. */
const PING_MS_MAX = 5_000;
const KEY = 'a client that behaves';

let isOver = false;
parentPort?.once('message', () => {
  isOver = true;
});
parentPort?.postMessage(await watch());

async function watch(): Promise<WatchReport> {
  const wire = await openWire(port);
  let pings = 0;
  try {
    for (; !isOver; pings += 1) {
      const asked = (async () => {
        await wire.ask('SET', KEY, `${pings}`);
        const found = await wire.ask('GET', KEY);
        // Others may empty the database, and swap it with another, but nobody knows this key.
        if (found !== null && !(Number(found) <= pings)) return `GET ${String(found)}`;
        return wire.ask('PING');
      })();
      const answer = await Promise.race([asked, late()]);
      if (answer !== '+PONG')
        return { pings, finding: `a client that behaves was answered ${String(answer)}` };
    }
    return { pings };
  } catch (error) {
    return { pings, finding: `a client that behaves: ${(error as Error).message}` };
  } finally {
    wire.close();
  }
}

function late(): Promise<string> {
  return new Promise((resolve) => {
    setTimeout(resolve, PING_MS_MAX, `nothing within ${PING_MS_MAX} ms`).unref();
  });
}
