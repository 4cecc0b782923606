/**
 * What this node says of itself to its cluster, from its configuration: its name, and where others reach it.
 *
 * Main thread, at the start of a node of a cluster. Throws StartErrors.
 */
import type { NetworkInterfaceInfo } from 'node:os';
import { StartError } from '../base/errors.ts';
import { randomHex } from '../base/random.ts';
import type { Config } from '../config/config.ts';
import { CLUSTER_NAME_CHARACTERS_MAX, NODE_ID_DIGITS } from '../config/limits-cluster.ts';
import type { Storage } from '../durability/storage-types.ts';
import { splitUrls } from './etcd-gateway.ts';
import type { NodeRecord } from './membership.ts';
import { takeNodeId } from './node-identity.ts';

/** The machine's addresses, as os.networkInterfaces() tells them. */
type Interfaces = NodeJS.Dict<NetworkInterfaceInfo[]>;

export type AnnouncementOptions = {
  readonly config: Config;
  readonly storage: Storage;
  /** The machine's network addresses. */
  readonly interfaces: Interfaces;
  readonly runId: string;
  readonly startedAtMs: number;
};

const EX_CONFIG = 78;
const NAME_PATTERN = /^[A-Za-z0-9._-]+$/;
const ANY_ADDRESSES = new Set(['*', '::*', '0.0.0.0', '::']);
const LOOPBACK = '127.0.0.1';

export function describeOwnNode(options: AnnouncementOptions): NodeRecord {
  const { config, storage, interfaces, runId, startedAtMs } = options;
  const id = takeNodeId(storage, '.', config.nodeId, () => randomHex(NODE_ID_DIGITS));
  return {
    id,
    host: announcedHost(config, interfaces),
    port: config.clusterAnnouncePort || config.port,
    tlsPort: config.clusterAnnounceTlsPort || config.tlsPort,
    httpPort: config.clusterAnnounceHttpPort || config.httpPort || config.httpTlsPort,
    weight: config.clusterWeight,
    runId,
    startedAtMs,
    isLeaving: false,
  };
}

/** Where it listens on all addresses, others get the first one that leads out of the machine. */
export function announcedHost({ clusterAnnounceHost, bind }: Config, interfaces: Interfaces): string {
  if (clusterAnnounceHost !== '') return clusterAnnounceHost;
  const first = bind[0]?.replace(/^-/, '') ?? LOOPBACK;
  if (!ANY_ADDRESSES.has(first)) return first;
  const outward = Object.values(interfaces).flatMap((addresses) => addresses ?? []);
  return outward.find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? LOOPBACK;
}

/** Refuses what cannot be used before anything is begun with it. */
export function checkClusterConfig({ clusterName, clusterEtcd }: Config): void {
  checkClusterName(clusterName);
  checkUrls(splitUrls(clusterEtcd));
}

function checkClusterName(name: string): void {
  if (NAME_PATTERN.test(name) && name.length <= CLUSTER_NAME_CHARACTERS_MAX) return;
  throw new StartError(
    `cluster-name ${JSON.stringify(name)}: must be letters, digits, '.', '_' and '-', ${CLUSTER_NAME_CHARACTERS_MAX} at the most`,
    EX_CONFIG,
  );
}

/** The text of a URL may hold a password: it is not repeated. */
function checkUrls(urls: readonly string[]): void {
  if (urls.length === 0) throw new StartError('cluster-etcd: needs at least one URL', EX_CONFIG);
  for (const [at, url] of urls.entries()) {
    const protocol = URL.parse(url)?.protocol;
    if (protocol === 'http:' || protocol === 'https:') continue;
    throw new StartError(
      `cluster-etcd: URL ${at + 1} of ${urls.length} is none, e.g. http://127.0.0.1:2379`,
      EX_CONFIG,
    );
  }
}
