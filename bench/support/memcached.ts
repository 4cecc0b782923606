/** memcached's text protocol as far as benchmarks need it (doc/protocol.txt of memcached): statistics, and requests as text. */
import { once } from 'node:events';
import { openClient } from './client.ts';

const END = 'END\r\n';

/** The lines `STAT name value` of one group: '' for the general ones, `slabs` for those of the pages. */
export async function memcachedStats(port: number, group = ''): Promise<ReadonlyMap<string, string>> {
  const socket = await openClient(port);
  try {
    socket.write(group === '' ? 'stats\r\n' : `stats ${group}\r\n`);
    let text = '';
    while (!text.endsWith(END)) {
      const [chunk] = (await once(socket, 'data')) as [Buffer];
      text += chunk.toString('latin1');
    }
    return parseStats(text);
  } finally {
    socket.destroy();
  }
}

/** Name and value of every STAT line. */
export function parseStats(text: string): ReadonlyMap<string, string> {
  return new Map([...text.matchAll(/^STAT (\S+) (.*)\r$/gm)].map(([, name, value]) => [name, value]));
}

/** One number among them. Throws where it is missing or none. */
export function statNumber(stats: ReadonlyMap<string, string>, name: string): number {
  const value = Number(stats.get(name) ?? Number.NaN);
  if (Number.isNaN(value)) throw new Error(`stats has no number ${name}`);
  return value;
}

/** A write of plain characters. `ttlSeconds` 0: for good. */
export function memcachedSet(key: string, value: string, ttlSeconds = 0): string {
  return `set ${key} 0 ${ttlSeconds} ${value.length}\r\n${value}\r\n`;
}
