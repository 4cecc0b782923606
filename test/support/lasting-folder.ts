/**
 * A folder of data that outlives the servers that run in it, and what all of its databases hold.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DistcacheServer, startDistcache } from './distcache-server.ts';
import { requestBytes } from './request-bytes.ts';
import { openWire, type Wire } from './wire.ts';

const DATABASES = 16;

export type DataFolder = {
  readonly path: string;
  /** Starts a server there: flags as for `startDistcache`, DEBUG allowed, no save points. */
  start(flags?: readonly string[], launcher?: readonly string[]): Promise<DistcacheServer>;
  /** Kills what still runs there, and removes it. */
  remove(): Promise<void>;
};

/** `everyFlags` are those of every server that starts there. */
export function createDataFolder(everyFlags: readonly string[] = []): DataFolder {
  const path = mkdtempSync(join(tmpdir(), 'distcache-data-'));
  const servers: DistcacheServer[] = [];
  return {
    path,
    start: async (flags = [], launcher = []) => {
      const common = ['--dir', path, '--save', '', '--enable-debug-command', 'yes', ...everyFlags];
      const server = await startDistcache([...common, ...flags], {}, launcher);
      servers.push(server);
      return server;
    },
    remove: async () => {
      await Promise.all(servers.map(killServer));
      rmSync(path, { recursive: true, force: true });
    },
  };
}

/** kill -9, and the end of it. */
export async function killServer(server: DistcacheServer): Promise<void> {
  server.kill('SIGKILL');
  await server.exit;
}

/** Sends all commands at once and takes their replies in order. */
export async function askAll(wire: Wire, commands: readonly (readonly (string | Buffer)[])[]) {
  wire.socket.write(Buffer.concat(commands.map((command) => requestBytes(...command))));
  const replies: unknown[] = [];
  for (const _ of commands) replies.push(await wire.reply());
  return replies;
}

/** Every key of every database with its value, encoding and moment of expiry, in order. */
export async function contents(port: number): Promise<string[]> {
  const wire = await openWire(port);
  const found: string[] = [];
  for (let database = 0; database < DATABASES; database += 1) {
    await wire.ask('SELECT', `${database}`);
    const keys = ((await wire.ask('KEYS', '*')) as string[]).toSorted();
    const asked = keys.flatMap((key) => [
      ['GET', key],
      ['OBJECT', 'ENCODING', key],
      ['PEXPIRETIME', key],
    ]);
    const replies = await askAll(wire, asked);
    keys.forEach((key, i) => {
      const [value, encoding, expiry] = replies.slice(3 * i);
      found.push(`${database} ${key} ${encoding} ${expiry} ${value}`);
    });
  }
  wire.close();
  return found;
}
