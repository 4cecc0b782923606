/**
 * What the routes under /v1 answer, as far as the page reads it. Types only, for the checker.
 */

/** One second of the server, from `/v1/history` and the event `sample` of `/v1/live`. */
export type SampleAnswer = { t: number; commands: Record<string, number> } & Record<string, unknown>;

type ReadinessCheck = { name: string; ok: boolean; reason?: string; detail?: string };

export type ShardState = {
  index: number;
  owner: number;
  slots: number;
  keys: number;
  expiring: number;
  usedBytes: number;
  limitBytes: number;
  fragmentation: number;
  evictedKeys: number;
  expiredKeys: number;
  expiryLagMs: number;
  lockWaits: number;
  lockHoldP99Us: number;
  lockHoldMaxUs: number;
  pendingLogBytes: number;
};

export type WorkerState = {
  index: number;
  connections: number;
  commands: number;
  bytesIn: number;
  bytesOut: number;
  turnP99Us: number;
  loopDelayP99Ms: number;
  turns: number;
};

type LogStreamState = {
  index: number;
  bytesWritten: number;
  syncs: number;
  syncMsLast: number;
  syncMsMax: number;
  unsyncedBytes: number;
};

type ByRole = { own: number; replica: number; importing: number; strange: number };

/** A node of the cluster; what nobody here knows is null. */
export type NodeState = {
  id: string;
  index: number;
  host: string;
  port: number;
  tlsPort: number;
  httpPort: number;
  isAlive: boolean;
  isOwn: boolean;
  isCoordinator: boolean;
  slots: number;
  replicas: number;
  coming: number;
  isFed: boolean;
  fedSlots: number;
  fedWhole: number;
  fedBehindBytes: number;
  fedInFlightBytes: number;
  heldSlots: number;
  heldWhole: number;
  circuit: string | null;
  pingMs: number | null;
  commandsPerSecond: number | null;
};

export type ClusterShown = {
  name: string;
  ownId: string;
  coordinatorId: string;
  epoch: number;
  isCovered: boolean;
  isServing: boolean;
  leaseLeftMs: number;
  slots: ByRole;
  keys: ByRole;
  wholeReplicas: number;
  handingOver: number;
  coveredSlots: number;
  movingSlots: number;
  nodes: readonly NodeState[];
};

/** The server as it stands, from the event `state` of `/v1/live`. Counts are since its start. */
export type StateAnswer = {
  t: number;
  server: {
    version: string;
    runId: string;
    startedAtMs: number;
    uptimeSeconds: number;
    workers: number;
    host: string;
    port: number;
    maxmemoryPolicy: string;
  };
  ready: { ready: boolean; checks: readonly ReadinessCheck[] };
  shards: readonly ShardState[];
  types: readonly { name: string; keys: number }[];
  workers: readonly WorkerState[];
  log: {
    enabled: boolean;
    policy: string;
    breaker: string;
    troubled: boolean;
    bytes: number;
    streams: readonly LogStreamState[];
  };
  snapshot: {
    running: boolean;
    entries: number;
    entriesDone: number;
    lastMs: number;
    lastFailed: boolean;
    bytes: number;
  };
  loading: { loading: boolean; bytes: number; bytesDone: number };
  /** Null on a node that is alone. */
  cluster: ClusterShown | null;
};

export type SlowLogRow = {
  id: number;
  atMs: number;
  durationUs: number;
  arguments: readonly string[];
  client: string;
  clientName: string;
};

export type HotKeyRow = {
  database: number;
  key: string;
  /** Whether `key` is in base64, since its bytes are no text. */
  base64?: boolean;
  keyBytes?: number;
  readsPerSecond: number;
  writesPerSecond: number;
  share: number;
  error: number;
};

export type BigKeyRow = {
  database: number;
  key: string;
  base64?: boolean;
  keyBytes?: number;
  type: string;
  bytes: number;
  ttlMs: number;
};

export type BigKeysAnswer = {
  state: 'idle' | 'running' | 'done' | 'failed';
  progress: number;
  startedAtMs: number;
  tookMs: number;
  keys: number;
  bytes: number;
  largest: readonly BigKeyRow[];
  byType: readonly { type: string; keys: number; bytes: number }[];
};

export type SettingRow = {
  name: string;
  value: string;
  default: string;
  differs: boolean;
  mutable: boolean;
  help: string;
};

/** Which node has which slots: `/v1/cluster/ring`. */
export type NodeRingAnswer = {
  slots: number;
  owners: readonly { node: number; id: string; slots: number }[];
  ranges: readonly [first: number, last: number, node: number][];
};

export type RingAnswer = {
  slots: number;
  owners: readonly { shard: number; slots: number; share: number }[];
  ranges: readonly [first: number, last: number, shard: number][];
};

type CurvePoint = { bytes: number; keys: number; missRatio: number };

/** The ratios are null while there is no evidence. */
type SizePrediction = { bytes: number; hitRatio: number | null; missRatio: number | null };

export type MissRatioAnswer = {
  sampledKeys: number;
  rate: number;
  references: number;
  hitRatio: number | null;
  curve: readonly CurvePoint[];
  half: SizePrediction;
  now: SizePrediction;
  double: SizePrediction;
};

export type ClientRow = Record<string, string | number>;
