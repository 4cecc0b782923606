/**
 * What is counted, as data: where each number lies and what the world calls it. Constants only; any thread.
 *
 * A thread's section of counters is one row of float64 words:
 *
 *   0              COMMAND_CALLS     COMMAND_REJECTED   COMMAND_FAILED    COMMAND_NS       ERROR_COUNTS
 *  ┌──────────────┬─────────────────┬──────────────────┬─────────────────┬────────────────┬──────────────────┐
 *  │ one word a   │ calls of each   │ refusals of each │ failed calls    │ time in each   │ error replies of │
 *  │ counter      │ command         │                  │ of each         │                │ each prefix      │
 *  └──────────────┴─────────────────┴──────────────────┴─────────────────┴────────────────┴──────────────────┘
 *
 * Names follow the Prometheus practice: base units, the unit in the name, `_total` on what only grows.
 */
import { assert } from '../base/assert.ts';
import { ERROR_PREFIXES } from './error-prefixes.ts';

export const CONNECTIONS_ACCEPTED = 0;
export const CONNECTIONS_CLOSED = 1;
export const CONNECTIONS_REFUSED = 2;
/** A gauge: the thread that serves connections stores how many it has now. */
export const CONNECTIONS_OPEN = 3;
export const BYTES_IN = 4;
export const BYTES_OUT = 5;
export const COMMANDS = 6;
export const KEYSPACE_HITS = 7;
export const KEYSPACE_MISSES = 8;
export const ERROR_REPLIES = 9;
export const PROTOCOL_ERRORS = 10;
export const LIMIT_CUTS = 11;
export const INTERNAL_ERRORS = 12;
export const TURNS = 13;
export const READS = 14;
export const WRITES = 15;
export const TLS_HANDSHAKES = 16;
export const TLS_HANDSHAKES_FAILED = 17;
/** A gauge: handshakes that the thread has begun or put off. */
export const TLS_HANDSHAKES_OPEN = 18;
export const CLIENTS_EVICTED = 19;
/** Gauges: clients of the thread that track keys, the keys that they track, and pairs of both. */
export const TRACKING_CLIENTS = 20;
export const TRACKED_KEYS = 21;
export const TRACKED_ITEMS = 22;
/** A gauge: clients that wait. */
export const CLIENTS_BLOCKED = 23;
/** Gauges: bytes that the thread's clients keep; and the most of one client's input, and of its output, at the latest look. */
export const CLIENTS_BYTES = 24;
export const CLIENT_INPUT_BYTES_MAX = 25;
export const CLIENT_OUTPUT_BYTES_MAX = 26;
/** In a cluster: connections closed because their replies came behind the end of the lease; and reads of old values. */
export const LEASE_CUTS = 27;
export const READS_DEGRADED = 28;
/** Commands, or parts of them, that were passed on to other nodes; those that came to nothing; links that were given up for want of an answer in time; circuits opened. */
export const FORWARDS = 29;
export const FORWARD_FAILURES = 30;
export const LINK_TIMEOUTS = 31;
export const CIRCUITS_OPENED = 32;
const COUNTER_COUNT = 33;

/** What is counted of command `id` lies in the words `COMMAND_CALLS + id` and so on, for ids below `COMMANDS_MAX`. */
export const COMMANDS_MAX = 512;
/** How often it was executed, with whatever outcome. */
export const COMMAND_CALLS = COUNTER_COUNT;
/** How often it was refused before it was executed. */
export const COMMAND_REJECTED = COMMAND_CALLS + COMMANDS_MAX;
/** How often it was executed and answered an error. */
export const COMMAND_FAILED = COMMAND_REJECTED + COMMANDS_MAX;
/** How many nanoseconds its executions took in all. */
export const COMMAND_NS = COMMAND_FAILED + COMMANDS_MAX;
/** Error replies by what they begin with, in the order of ERROR_PREFIXES. */
export const ERROR_COUNTS = COMMAND_NS + COMMANDS_MAX;
export const SECTION_COUNTERS = ERROR_COUNTS + ERROR_PREFIXES.length;

/** A summary is told without quantiles: a sum and a count. */
type MetricType = 'counter' | 'gauge' | 'histogram' | 'summary';

/** The unit that the name carries; '' for a plain count. */
type MetricUnit = 'bytes' | 'seconds' | 'ratio' | '';

/** One family of the Prometheus text. `help` is one line of prose. */
export type Metric = { name: string; type: MetricType; unit: MetricUnit; help: string };

/** The counters that every thread keeps; `field` is their name in a reading. */
export const COUNTER_METRICS = [
  {
    index: CONNECTIONS_ACCEPTED,
    field: 'connectionsAccepted',
    name: 'distcache_connections_accepted_total',
    type: 'counter',
    unit: '',
    help: 'Client connections accepted.',
  },
  {
    index: CONNECTIONS_CLOSED,
    field: 'connectionsClosed',
    name: 'distcache_connections_closed_total',
    type: 'counter',
    unit: '',
    help: 'Client connections closed, by either side.',
  },
  {
    index: CONNECTIONS_REFUSED,
    field: 'connectionsRefused',
    name: 'distcache_connections_refused_total',
    type: 'counter',
    unit: '',
    help: 'Client connections refused, over maxclients or by protected mode.',
  },
  {
    index: CONNECTIONS_OPEN,
    field: 'connectionsOpen',
    name: 'distcache_connections_open',
    type: 'gauge',
    unit: '',
    help: 'Client connections open now.',
  },
  {
    index: BYTES_IN,
    field: 'bytesIn',
    name: 'distcache_received_bytes_total',
    type: 'counter',
    unit: 'bytes',
    help: 'Bytes read from clients.',
  },
  {
    index: BYTES_OUT,
    field: 'bytesOut',
    name: 'distcache_sent_bytes_total',
    type: 'counter',
    unit: 'bytes',
    help: 'Bytes of replies handed to the kernel or queued for it.',
  },
  {
    index: COMMANDS,
    field: 'commands',
    name: 'distcache_commands_total',
    type: 'counter',
    unit: '',
    help: 'Commands executed.',
  },
  {
    index: KEYSPACE_HITS,
    field: 'keyspaceHits',
    name: 'distcache_keyspace_hits_total',
    type: 'counter',
    unit: '',
    help: 'Look-ups of keys by reading commands that found one.',
  },
  {
    index: KEYSPACE_MISSES,
    field: 'keyspaceMisses',
    name: 'distcache_keyspace_misses_total',
    type: 'counter',
    unit: '',
    help: 'Look-ups of keys by reading commands that found none.',
  },
  {
    index: ERROR_REPLIES,
    field: 'errorReplies',
    name: 'distcache_error_replies_total',
    type: 'counter',
    unit: '',
    help: 'Replies that were errors.',
  },
  {
    index: PROTOCOL_ERRORS,
    field: 'protocolErrors',
    name: 'distcache_protocol_errors_total',
    type: 'counter',
    unit: '',
    help: 'Connections closed for malformed requests.',
  },
  {
    index: LIMIT_CUTS,
    field: 'limitCuts',
    name: 'distcache_limit_cuts_total',
    type: 'counter',
    unit: '',
    help: 'Connections closed for passing a limit on buffers or idle time.',
  },
  {
    index: INTERNAL_ERRORS,
    field: 'internalErrors',
    name: 'distcache_internal_errors_total',
    type: 'counter',
    unit: '',
    help: 'Commands that failed for a bug of the server.',
  },
  {
    index: TURNS,
    field: 'turns',
    name: 'distcache_turns_total',
    type: 'counter',
    unit: '',
    help: 'Passes of the event loop that served requests.',
  },
  {
    index: READS,
    field: 'reads',
    name: 'distcache_reads_total',
    type: 'counter',
    unit: '',
    help: 'Reads from client sockets that returned bytes.',
  },
  {
    index: WRITES,
    field: 'writes',
    name: 'distcache_writes_total',
    type: 'counter',
    unit: '',
    help: 'Writes to client sockets.',
  },
  {
    index: TLS_HANDSHAKES,
    field: 'tlsHandshakes',
    name: 'distcache_tls_handshakes_total',
    type: 'counter',
    unit: '',
    help: 'Handshakes of TLS that succeeded.',
  },
  {
    index: TLS_HANDSHAKES_FAILED,
    field: 'tlsHandshakesFailed',
    name: 'distcache_tls_handshakes_failed_total',
    type: 'counter',
    unit: '',
    help: 'Handshakes of TLS that failed, took too long, or made way for others.',
  },
  {
    index: TLS_HANDSHAKES_OPEN,
    field: 'tlsHandshakesOpen',
    name: 'distcache_tls_handshakes_open',
    type: 'gauge',
    unit: '',
    help: 'Handshakes of TLS that go on now.',
  },
  {
    index: CLIENTS_EVICTED,
    field: 'clientsEvicted',
    name: 'distcache_clients_evicted_total',
    type: 'counter',
    unit: '',
    help: 'Connections closed because all clients together were over maxmemory-clients.',
  },
  {
    index: TRACKING_CLIENTS,
    field: 'trackingClients',
    name: 'distcache_tracking_clients',
    type: 'gauge',
    unit: '',
    help: 'Clients that keep values and hear when their keys change.',
  },
  {
    index: TRACKED_KEYS,
    field: 'trackedKeys',
    name: 'distcache_tracked_keys',
    type: 'gauge',
    unit: '',
    help: 'Keys that those clients have read and may keep, counted for each thread that serves some of them.',
  },
  {
    index: TRACKED_ITEMS,
    field: 'trackedItems',
    name: 'distcache_tracked_items',
    type: 'gauge',
    unit: '',
    help: 'Pairs of such a key and a client that may keep it.',
  },
  {
    index: CLIENTS_BLOCKED,
    field: 'clientsBlocked',
    name: 'distcache_clients_blocked',
    type: 'gauge',
    unit: '',
    help: 'Clients whose commands wait: for a key, for replicas, for a slot, or for the end of CLIENT PAUSE.',
  },
  {
    index: CLIENTS_BYTES,
    field: 'clientsBytes',
    name: 'distcache_clients_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'Bytes of unexecuted requests, unread replies and transactions that clients keep.',
  },
  {
    index: CLIENT_INPUT_BYTES_MAX,
    field: 'clientInputBytesMax',
    name: 'distcache_client_input_bytes_max',
    type: 'gauge',
    unit: '',
    help: 'The largest buffer of requests of one client, in bytes.',
  },
  {
    index: CLIENT_OUTPUT_BYTES_MAX,
    field: 'clientOutputBytesMax',
    name: 'distcache_client_output_bytes_max',
    type: 'gauge',
    unit: '',
    help: 'The most unread replies of one client, in bytes.',
  },
  {
    index: LEASE_CUTS,
    field: 'leaseCuts',
    name: 'distcache_cluster_lease_cuts_total',
    type: 'counter',
    unit: '',
    help: 'Connections closed because their replies were ready only when the lease of the node was over.',
  },
  {
    index: READS_DEGRADED,
    field: 'readsDegraded',
    name: 'distcache_cluster_reads_degraded_total',
    type: 'counter',
    unit: '',
    help: 'Reads answered from replicas here because the owner could not be reached.',
  },
  {
    index: FORWARDS,
    field: 'forwards',
    name: 'distcache_cluster_forwards_total',
    type: 'counter',
    unit: '',
    help: 'Commands, or parts of them, that were passed on to other nodes.',
  },
  {
    index: FORWARD_FAILURES,
    field: 'forwardFailures',
    name: 'distcache_cluster_forward_failures_total',
    type: 'counter',
    unit: '',
    help: 'Of these, those that came to nothing because the other node could not be reached or did not answer.',
  },
  {
    index: LINK_TIMEOUTS,
    field: 'linkTimeouts',
    name: 'distcache_cluster_link_timeouts_total',
    type: 'counter',
    unit: '',
    help: 'Connections to other nodes that were given up because no answer came in time.',
  },
  {
    index: CIRCUITS_OPENED,
    field: 'circuitsOpened',
    name: 'distcache_cluster_circuits_opened_total',
    type: 'counter',
    unit: '',
    help: 'How often a circuit breaker in front of another node has opened.',
  },
] as const satisfies readonly (Metric & { index: number; field: string })[];

export type CounterField = (typeof COUNTER_METRICS)[number]['field'];

assert(
  COUNTER_METRICS.length === COUNTER_COUNT && COUNTER_METRICS.every((metric, at) => metric.index === at),
  'the table of counters names every index once, in order',
);
