/**
 * Real etcd: one member or several, each on free ports and in a folder of its own below one temporary folder.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createProgram, type Program } from './program.ts';
import { freePort } from './redis-server.ts';
import { describeWithTools } from './tools.ts';
import { until } from './until.ts';

type EtcdMember = {
  readonly program: Program;
  /** Where clients reach it. */
  readonly url: string;
};

export type EtcdServers = {
  readonly members: readonly EtcdMember[];
  readonly urls: readonly string[];
  /** The member that leads, as far as one that answers knows. */
  leader(): Promise<EtcdMember | undefined>;
  /** Resolves once a key can be read with the consent of most members. */
  healthy(): Promise<void>;
  /** Kills all, and removes their data. */
  remove(): Promise<void>;
};

export type EtcdPlace = { readonly name: string; readonly clientUrl: string; readonly peerUrl: string };

const HEALTHY_MS_MAX = 20_000;
const REQUEST_MS_MAX = 1_000;

/** A `describe` that needs etcd: skipped, with the reason in its name, where there is none. */
export function describeWithEtcd(name: string, body: () => void): void {
  describeWithTools(name, ['etcd'], body);
}

/** Starts so many members on an address, and resolves when they serve. */
export async function startEtcd(count = 1, host = '127.0.0.1'): Promise<EtcdServers> {
  const places: EtcdPlace[] = [];
  for (let i = 0; i < count; i += 1) {
    places.push({
      name: `etcd-${i + 1}`,
      clientUrl: `http://${host}:${await freePort()}`,
      peerUrl: `http://${host}:${await freePort()}`,
    });
  }
  const folder = mkdtempSync(join(tmpdir(), 'distcache-etcd-'));
  const servers = createEtcdServers(places, folder);
  for (const { program } of servers.members) program.start();
  try {
    await servers.healthy();
  } catch (error) {
    await servers.remove();
    throw error;
  }
  return servers;
}

/** Of members at these places, none of them started yet. */
export function createEtcdServers(
  places: readonly EtcdPlace[],
  folder: string,
  isShielded = false,
): EtcdServers {
  const members = places.map((place) => {
    mkdirSync(join(folder, place.name), { recursive: true, mode: 0o700 });
    const flags = etcdFlags(place, places, join(folder, place.name));
    return {
      url: place.clientUrl,
      program: createProgram({ name: place.name, program: 'etcd', flags, isShielded }),
    };
  });
  return {
    members,
    urls: members.map(({ url }) => url),
    leader: () => leaderOf(members),
    healthy: () =>
      until(async () => (await Promise.all(members.map(({ url }) => isHealthy(url)))).some(Boolean), {
        what: () => `etcd does not serve: ${members.map(({ program }) => program.output()).join('\n')}`,
        msMax: HEALTHY_MS_MAX,
      }),
    remove: async () => {
      await Promise.all(members.map(({ program }) => program.kill()));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The flags of one member of those at `places`. */
function etcdFlags(place: EtcdPlace, places: readonly EtcdPlace[], folder: string): string[] {
  return [
    ...['--name', place.name],
    ...['--data-dir', folder],
    ...['--listen-client-urls', place.clientUrl],
    ...['--advertise-client-urls', place.clientUrl],
    ...['--listen-peer-urls', place.peerUrl],
    ...['--initial-advertise-peer-urls', place.peerUrl],
    ...['--initial-cluster', places.map(({ name, peerUrl }) => `${name}=${peerUrl}`).join(',')],
    ...['--initial-cluster-state', 'new'],
    ...['--auto-compaction-mode', 'periodic', '--auto-compaction-retention', '1h'],
  ];
}

async function isHealthy(url: string): Promise<boolean> {
  const answer = (await ask(url, '/health')) as { health?: string } | undefined;
  return answer?.health === 'true';
}

async function leaderOf(members: readonly EtcdMember[]): Promise<EtcdMember | undefined> {
  for (const member of members) {
    const status = (await ask(member.url, '/v3/maintenance/status', '{}')) as
      | { leader?: string; header?: { member_id?: string } }
      | undefined;
    if (status?.leader !== undefined && status.leader === status.header?.member_id) return member;
  }
  return undefined;
}

/** Undefined where it does not answer in time. */
async function ask(url: string, path: string, body?: string): Promise<unknown> {
  try {
    const method = body === undefined ? 'GET' : 'POST';
    const signal = AbortSignal.timeout(REQUEST_MS_MAX);
    return await (await fetch(`${url}${path}`, { method, body, signal })).json();
  } catch {
    return undefined;
  }
}
