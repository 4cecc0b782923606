/**
 * A network of namespaces, so that single nodes can be cut off: a bridge on this machine, and behind it a namespace for each node. Needs
 * root and `ip`.
 *
 *   this machine    bridge     BASE.1  clients            a node at BASE.(10 + i) in its namespace
 *                              BASE.2  etcd
 */
import { spawnSync } from 'node:child_process';
import type { NodeHome } from '../cluster.ts';

/** `all`: nothing passes; `out`: what the node sends to others and to etcd is dropped; `in`: what the other nodes send to it. */
export type Cut = 'all' | 'out' | 'in';

export type Network = {
  readonly homes: readonly NodeHome[];
  readonly etcdHost: string;
  /** Clients go on reaching the node, but for `all`. */
  cut(index: number, cut: Cut): void;
  heal(index: number): void;
  remove(): void;
};

const FIRST_NODE = 10;
const LINK_PREFIX = 'dcc';

/** Why there can be none here; undefined where there can. */
export function whyNoNetwork(): string | undefined {
  if (process.getuid?.() !== 0) return 'not root';
  const probe = `${LINK_PREFIX}probe${process.pid % 1000}`;
  const made = spawnSync('ip', ['netns', 'add', probe], { encoding: 'utf8' });
  if (made.status !== 0) return `ip netns: ${made.error?.message ?? made.stderr.trim()}`;
  spawnSync('ip', ['netns', 'del', probe]);
  return undefined;
}

/** For so many nodes. `number` tells networks on one machine apart, 1 to 254. */
export function createNetwork(count: number, number: number): Network {
  const base = `10.231.${number}`;
  const bridge = `${LINK_PREFIX}${number}br`;
  const nodes = Array.from({ length: count }, (_, i) => ({
    namespace: `${LINK_PREFIX}${number}n${i}`,
    link: `${LINK_PREFIX}${number}v${i}`,
    address: `${base}.${FIRST_NODE + i}`,
  }));
  const remove = () => {
    for (const { namespace } of nodes) spawnSync('ip', ['netns', 'del', namespace]);
    spawnSync('ip', ['link', 'del', bridge]);
  };
  remove();
  ip('link', 'add', bridge, 'type', 'bridge');
  for (const host of [1, 2]) ip('addr', 'add', `${base}.${host}/24`, 'dev', bridge);
  ip('link', 'set', bridge, 'up');
  for (const { namespace, link, address } of nodes) {
    ip('netns', 'add', namespace);
    ip('link', 'add', link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace);
    ip('link', 'set', link, 'master', bridge, 'up');
    ip('-n', namespace, 'addr', 'add', `${address}/24`, 'dev', 'eth0');
    ip('-n', namespace, 'link', 'set', 'eth0', 'up');
    ip('-n', namespace, 'link', 'set', 'lo', 'up');
  }
  const etcdHost = `${base}.2`;
  const route = (verb: 'replace' | 'del', namespace: string, to: string) =>
    spawnSync('ip', ['-n', namespace, 'route', verb, 'blackhole', `${to}/32`]);
  const others = (index: number) => nodes.filter((_, i) => i !== index);
  return {
    etcdHost,
    homes: nodes.map(({ namespace, address }) => ({
      host: address,
      launcher: ['ip', 'netns', 'exec', namespace],
    })),
    cut: (index, cut) => {
      const { namespace, link, address } = nodes[index];
      if (cut === 'all') ip('link', 'set', link, 'down');
      if (cut === 'out')
        for (const to of [etcdHost, ...others(index).map((node) => node.address)])
          route('replace', namespace, to);
      if (cut === 'in') for (const other of others(index)) route('replace', other.namespace, address);
    },
    heal: (index) => {
      const { namespace, link, address } = nodes[index];
      ip('link', 'set', link, 'up');
      for (const to of [etcdHost, ...others(index).map((node) => node.address)]) route('del', namespace, to);
      for (const other of others(index)) route('del', other.namespace, address);
    },
    remove,
  };
}

function ip(...flags: string[]): void {
  const { status, stderr, error } = spawnSync('ip', flags, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`ip ${flags.join(' ')}: ${error?.message ?? stderr.trim()}`);
}
