/**
 * A node of a cluster as a process: what it is started with, and questions to it.
 */
import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { callNode } from './node-call.ts';
import { createProgram, type Program } from './program.ts';

const MAIN = fileURLToPath(new URL('../../bin/distcache.mjs', import.meta.url));
const NODE_COMPILE_CACHE = join(tmpdir(), 'distcache-test-compile-cache');
const QUESTION_MS_MAX = 2_000;

export type NodePlace = {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly httpPort: number;
  /** Its `dir`. */
  readonly folder: string;
};

export type Node = NodePlace & {
  readonly program: Program;
  /** The reply as text; rejects where there is none in time. */
  ask(...command: string[]): Promise<string>;
};

export type ClusterFlags = {
  readonly name: string;
  readonly etcdUrls: readonly string[];
};

/** The flags that make a server a node at its place: all that `npm run cluster` and docker-compose.yml say, but for sizes. */
export function nodeFlags(place: NodePlace, cluster: ClusterFlags): string[] {
  return [
    ...['--bind', place.host, '--port', `${place.port}`],
    ...['--http-bind', place.host, '--http-port', `${place.httpPort}`],
    ...['--dir', place.folder],
    ...['--appendonly', 'yes'],
    ...['--cluster-enabled', 'yes'],
    ...['--cluster-name', cluster.name],
    ...['--cluster-etcd', cluster.etcdUrls.join(' ')],
    ...['--cluster-announce-host', place.host],
  ];
}

export type NodeOptions = {
  /** A command that runs the rest of its arguments. */
  readonly launcher?: readonly string[];
  readonly isShielded?: boolean;
};

/** Not started yet; its folder is made. */
export function createNode(
  place: NodePlace,
  flags: readonly string[],
  { launcher = [], isShielded }: NodeOptions = {},
): Node {
  mkdirSync(place.folder, { recursive: true, mode: 0o700 });
  const [program, ...rest] = [...launcher, process.execPath, MAIN, ...flags];
  return {
    ...place,
    program: createProgram({
      name: place.name,
      program,
      flags: rest,
      environment: { NODE_COMPILE_CACHE },
      isShielded,
    }),
    ask: (...command) => callNode(place, command, QUESTION_MS_MAX),
  };
}
