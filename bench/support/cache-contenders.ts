/** The caches whose hit ratios are compared: servers with a policy each, at a limit that is told when they are started. */
import { ask } from './client.ts';
import { memcachedPeers, ourPeer, type Peer, redisPeer, valkeyPeers, withPeer } from './peers.ts';
import { infoNumber } from './server-text.ts';

/** One of them. `name` is that of the server with its policy. */
export type Contender = {
  readonly name: string;
  readonly server: string;
  readonly policy: string;
  /** What an empty server counts against its limit: it is allowed that much on top. */
  readonly emptyBytes: number;
  readonly peerOf: (limitBytes: number) => Peer;
};

/** redis-server's policies are compared at these settings of maxmemory-samples; the first is its default. */
const SAMPLES = [5, 10];
const SAMPLED_POLICIES = ['allkeys-lru', 'allkeys-lfu'];
const MIB = 2 ** 20;

type CreatePeer = (flags: readonly string[]) => Peer;

/** Ours with each of the policies that it knows, redis-server's and Valkey's, memcached; and what ours does not know. */
export async function createContenders(
  policies: readonly string[],
): Promise<{ contenders: Contender[]; unknown: string[] }> {
  const { known, unknown, emptyBytes } = await askOurs(policies);
  const ours = known.map((policy) => contender('distcache', policy, '', emptyBytes, [], ourPeer));
  const others = [await sampledContenders(redisPeer([]), redisPeer)];
  for (const peer of valkeyPeers())
    others.push(await sampledContenders(peer, (flags) => valkeyPeers(flags)[0]));
  return { contenders: [...ours, ...others.flat(), ...memcachedContenders()], unknown };
}

async function askOurs(
  policies: readonly string[],
): Promise<{ known: string[]; unknown: string[]; emptyBytes: number }> {
  return withPeer(ourPeer(), async ({ port }) => {
    const known: string[] = [];
    for (const policy of policies) {
      const reply = await ask(port, 'CONFIG', 'SET', 'maxmemory-policy', policy).catch(() => '');
      if (reply === 'OK') known.push(policy);
    }
    const unknown = policies.filter((policy) => !known.includes(policy));
    return { known, unknown, emptyBytes: await usedMemory(port) };
  });
}

async function sampledContenders(peer: Peer, create: CreatePeer): Promise<Contender[]> {
  const emptyBytes = await withPeer(peer, ({ port }) => usedMemory(port));
  return SAMPLES.flatMap((samples, index) =>
    SAMPLED_POLICIES.map((policy) => {
      const flags = ['--maxmemory-samples', String(samples)];
      const note = index === 0 ? '' : `, ${samples} samples`;
      return contender(peer.name, policy, note, emptyBytes, flags, create);
    }),
  );
}

/** Its limit is that of its pages, in whole MiB; the hash table comes on top. */
function memcachedContenders(): Contender[] {
  return memcachedPeers().map(({ name }) => ({
    name,
    server: name,
    policy: 'segmented LRU',
    emptyBytes: 0,
    peerOf: (limitBytes) => memcachedPeers(memcachedLimit(limitBytes))[0],
  }));
}

/** Flags for a limit of so many bytes; entries are at most as large as is its default, which any limit allows. */
export function memcachedLimit(limitBytes: number): string[] {
  return ['-I', '1m', '-m', String(Math.max(1, Math.round(limitBytes / MIB)))];
}

function contender(
  server: string,
  policy: string,
  note: string,
  emptyBytes: number,
  flags: readonly string[],
  create: CreatePeer,
): Contender {
  const peerOf = (limitBytes: number): Peer => {
    const limit = ['--maxmemory', String(Math.round(limitBytes + emptyBytes))];
    return create([...flags, ...limit, '--maxmemory-policy', policy]);
  };
  return { name: `${server} ${policy}${note}`, server, policy: `${policy}${note}`, emptyBytes, peerOf };
}

async function usedMemory(port: number): Promise<number> {
  return infoNumber(await ask(port, 'INFO', 'memory'), 'used_memory');
}
