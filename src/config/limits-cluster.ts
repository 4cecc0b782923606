/**
 * Every bound of the cluster in one place, with its relations to others; as limits.ts, of which it is a part. Any thread.
 */
import { assert } from '../base/assert.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

/** How often a node of a cluster looks for keys that are no longer its own, and for how long their slots must have been another's. */
export const JANITOR_LOOK_MS = 1_000;
export const JANITOR_DELAY_MS = 5_000;

/** etcd gives no lease below two seconds. */
export const CLUSTER_NODE_TIMEOUT_MS_MIN = 2_000;
export const CLUSTER_WEIGHT_MAX = 10_000;

/**
 * A command for a slot that is between two nodes comes again so often, or when the topology changes, which is looked at each
 * SLOT_WAIT_CHECK_MS; and is told to try again after so long.
 */
export const SLOT_WAIT_CHECK_MS = 2;
export const SLOT_WAIT_RETRY_MS = 20;
export const SLOT_WAIT_MS = 1_000;

/**
 * etcd: one try of a request, how often it is tried, and the pauses between tries; failures in a row after which an endpoint is left
 * alone, and for how long; how long a watch may be silent before it is opened anew, and the longest line that one may send.
 */
export const ETCD_TRY_MS_MAX = 1_000;
export const ETCD_RETRIES_MAX = 3;
export const ETCD_PAUSE_MS_MIN = 20;
export const ETCD_PAUSE_MS_MAX = 500;
export const ETCD_BREAKER_FAILURES = 3;
export const ETCD_BREAKER_RESET_MS = 300;
export const ETCD_WATCH_SILENCE_MS_MAX = 5_000;
export const ETCD_LINE_BYTES_MAX = 16 * MIB;

/** A node's name; and how much earlier than etcd a node takes its lease for ended: so long at least, and such a share of it. */
export const NODE_ID_DIGITS = 40;
export const CLUSTER_LEASE_MARGIN_MS_MIN = 200;
export const CLUSTER_LEASE_MARGIN_SHARE = 0.05;
/** How long a turn goes by its look at the lease: what it has read may leave so long behind the lease's end. */
export const LEASE_LOOK_MS_MAX = 100;

/** Replies of other nodes: how deep arrays may lie in one another, and the longest line. */
export const REPLY_DEPTH_MAX = 32;
export const REPLY_LINE_BYTES_MAX = 64 * KIB;

/**
 * Commands that one node passes on to another: of one client those that wait for their replies, and the bytes of replies that wait for
 * their turn, before its next commands wait; of one link those in flight and their bytes, before more are refused; and how
 * often one follows a slot that has moved.
 */
export const FORWARDS_PER_CLIENT_MAX = 1024;
export const FORWARDED_BYTES_PER_CLIENT_MAX = 1 * MIB;
export const PEER_IN_FLIGHT_MAX = 64 * KIB;
export const PEER_IN_FLIGHT_BYTES_MAX = 256 * MIB;
export const PEER_REDIRECTIONS_MAX = 3;
/** How often main asks each other node how it is. */
export const PEER_PING_MS = 1_000;
/** The most that one write of such a link has. */
export const PEER_WRITE_BYTES_MAX = 1 * MIB;
/** One read of such a link. */
export const PEER_READ_BUFFER_BYTES = 64 * KIB;

/** The breaker in front of a node: how many times as long it refuses all when the probes go on failing, and probes at a time. */
export const PEER_BREAKER_GROWTH_MAX = 30;
export const PEER_PROBES_MAX = 1;
/** How long the agent waits for the threads to have heard of the nodes before it writes slots that name them. */
export const CLUSTER_NODES_TOLD_MS_MAX = 1_000;
/** How often a node that cannot join tries again, and says so. */
export const CLUSTER_JOIN_PAUSE_MS = 250;
export const CLUSTER_TROUBLE_LOG_MS = 10_000;
export const CLUSTER_NAME_CHARACTERS_MAX = 64;

/**
 * Replication: the least of a shard's backlog; of a look at a shard, the bytes of records, and the entries and about the bytes of a slice
 * of a copy; what may be on its way to a replica; what a replica applies in one go, and how often it looks at its links; and how
 * often each end says that it is there.
 */
export const BACKLOG_BYTES_MIN = 64 * KIB;
export const REPLICATION_LOOK_BYTES = 64 * KIB;
export const REPLICATION_SLICE_BYTES = 256 * KIB;
export const REPLICATION_PIECES_BYTES = 16 * KIB;
export const REPLICATION_SLICE_ENTRIES_MIN = 32;
export const REPLICATION_SLICE_ENTRIES_MAX = 512;
export const REPLICATION_WINDOW_BYTES = 8 * MIB;
export const REPLICA_APPLY_MS = 1;
export const REPLICA_DROP_ENTRIES = 256;
export const REPLICATION_TICK_MS = 20;
/** Handing slots over: so many at a time, within so long, or they are taken back; how often it is looked whether there are any, and meanwhile. */
export const HAND_OVER_SLOTS_MAX = 256;
export const HAND_OVER_MS_MAX = 2_000;
export const HAND_OVER_TICK_MS = 20;
export const CLUSTER_GIVE_MS_MAX = 5_000;
export const HAND_OVER_LOOK_MS = 1;
/** Slots that a client has changed and that WAIT looks at one by one; of one that has changed more, all are looked at. */
export const WRITTEN_SLOTS_MAX = 64;
/** How often other nodes are asked again by a WAIT that waits for their replicas. */
export const WAIT_POLL_MS = 2;
/** How often a WAIT looks whether the slots are still this node's; of acknowledgements it is told. */
export const WAIT_LOOK_MS = 20;
/** One read of a replica, and its pause before it calls an owner again: it doubles from the least to the most. */
export const REPLICATION_READ_BYTES = 256 * KIB;
export const REPLICA_CALL_MS_MIN = 50;
export const REPLICA_CALL_MS_MAX = 2_000;
export const REPLICATION_PING_MS = 1_000;

/** Slots that are on their way from one node to another at a time, of any one to any other and in all. */
export const CLUSTER_PAIR_MOVES_MAX = 512;
export const CLUSTER_MOVES_MAX = 2048;
/** How long a node that is gone and has no slots stays known. */
export const CLUSTER_GONE_NODE_MS = 3_600_000;
/** An answer of another node to a question of main: how far its replicas are is the longest. */
export const PEER_ANSWER_BYTES_MAX = 4 * MIB;

/** No node has come or gone for so long, or not all of them at once: nodes of a new cluster come together, and one that restarts is soon back. */
export const CLUSTER_SETTLE_MS = 1_000;
export const CLUSTER_SETTLE_MS_MAX = 3_000;

/** How often the coordinator looks around when nothing has told it to: with nothing to do, with slots under way, and with slots that nobody serves. */
export const CLUSTER_LOOK_MS = 1_000;
export const CLUSTER_LOOK_MS_BUSY = 250;
export const CLUSTER_LOOK_MS_URGENT = 50;

/**
 * A node may take so long to say what it has of another's slots; and slots without an owner wait so long for the answers of all who
 * may have them before they go to one who has answered.
 */
export const CLUSTER_PROGRESS_MS_MAX = 200;
export const CLUSTER_CANDIDATES_MS = 1_000;

/** When no other node has answered the coordinator for so long it resigns, and does not try again for a while. */
export const CLUSTER_UNHEARD_MS = 2_000;
export const CLUSTER_RESIGNED_MS = 5_000;

/** How long an operator's tool waits for a node's answer, and how often it looks how far a node is that leaves. */
export const CLUSTER_TOOL_MS_MAX = 5_000;
export const CLUSTER_TOOL_LOOK_MS = 500;
/** When one node has lost its lease, others have lost theirs as a rule, and are about to be back: so long nobody who came back plans without them. */
export const CLUSTER_REJOIN_MS = 1_500;
/** How long after the end of another process's lease a node takes its name: whoever has whole copies is its successor by then. */
export const CLUSTER_SUCCESSION_MS = 1_500;

assert(
  REPLICATION_SLICE_ENTRIES_MIN <= REPLICATION_SLICE_ENTRIES_MAX &&
    REPLICATION_LOOK_BYTES <= REPLICATION_SLICE_BYTES,
  'a slice of a copy is no less than a look at the records before it',
);
assert(REPLICATION_SLICE_BYTES < REPLICATION_WINDOW_BYTES, 'a slice may be on its way to a replica');
assert(LEASE_LOOK_MS_MAX < CLUSTER_LEASE_MARGIN_MS_MIN, 'a turn that has just begun ends before the lease');
assert(CLUSTER_PAIR_MOVES_MAX <= CLUSTER_MOVES_MAX, 'one pair of nodes may have all moves');
assert(HAND_OVER_SLOTS_MAX <= CLUSTER_PAIR_MOVES_MAX, 'what is handed over at a time is on its way');
assert(CLUSTER_SETTLE_MS <= CLUSTER_SETTLE_MS_MAX, 'a new cluster settles before the longest wait is over');
assert(ETCD_PAUSE_MS_MIN <= ETCD_PAUSE_MS_MAX && REPLICA_CALL_MS_MIN <= REPLICA_CALL_MS_MAX, 'pauses grow');
