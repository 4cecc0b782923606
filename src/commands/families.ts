/**
 * All families of commands, joined with the tables when this file is loaded. The one list of what the server can do.
 *
 * Loaded once per thread that executes commands.
 */
import { aclHandlers } from './acl.ts';
import { bitfieldHandlers } from './bitfield.ts';
import { bitHandlers } from './bits.ts';
import { bitOperationHandlers } from './bits-operation.ts';
import { clientHandlers } from './client.ts';
import { clusterHandlers } from './cluster.ts';
import { clusterReplicationHandlers } from './cluster-replication.ts';
import { commandHandlers } from './command-info.ts';
import { configHandlers } from './config.ts';
import { connectionHandlers } from './connection.ts';
import { debugHandlers } from './debug.ts';
import { hashHandlers } from './hashes.ts';
import { hashDeadlineHandlers } from './hashes-deadlines.ts';
import { hashNumberHandlers } from './hashes-number.ts';
import { hashRandomHandlers } from './hashes-random.ts';
import { hashValueHandlers } from './hashes-values.ts';
import { hotKeyHandlers } from './hot-keys.ts';
import { hyperLogLogHandlers } from './hyperloglog.ts';
import { hyperLogLogDebugHandlers } from './hyperloglog-debug.ts';
import { hyperLogLogSelfTestHandlers } from './hyperloglog-self-test.ts';
import { infoHandlers } from './info.ts';
import { keyHandlers } from './keys.ts';
import { databaseHandlers } from './keys-databases.ts';
import { expiryHandlers } from './keys-expiry.ts';
import { objectHandlers } from './keys-object.ts';
import { scanHandlers } from './keys-scan.ts';
import { latencyHandlers } from './latency.ts';
import { latencyHistogramHandlers } from './latency-histogram.ts';
import { listHandlers } from './lists.ts';
import { blockingListHandlers } from './lists-blocking.ts';
import { listEndHandlers } from './lists-ends.ts';
import { listSearchHandlers } from './lists-search.ts';
import { memoryHandlers } from './memory.ts';
import { missRatioHandlers } from './miss-ratio.ts';
import { monitorHandlers } from './monitor.ts';
import { persistenceHandlers } from './persistence.ts';
import { pubsubHandlers } from './pubsub.ts';
import { installCommands } from './registry.ts';
import { roleHandlers } from './role.ts';
import { serverHandlers } from './server.ts';
import { setHandlers } from './sets.ts';
import { setAlgebraHandlers } from './sets-algebra.ts';
import { setRandomHandlers } from './sets-random.ts';
import { slowLogHandlers } from './slow-log.ts';
import { sortHandlers } from './sort.ts';
import { sortedSetHandlers } from './sorted-sets.ts';
import { sortedSetAlgebraHandlers } from './sorted-sets-algebra.ts';
import { sortedSetPopHandlers } from './sorted-sets-pop.ts';
import { sortedSetRandomHandlers } from './sorted-sets-random.ts';
import { sortedSetRangeHandlers } from './sorted-sets-range.ts';
import { stringHandlers } from './strings.ts';
import { stringLcsHandlers } from './strings-lcs.ts';
import { stringManyHandlers } from './strings-many.ts';
import { stringNumberHandlers } from './strings-number.ts';
import { stringRangeHandlers } from './strings-range.ts';
import { ALL_COMMANDS } from './tables/all.ts';
import { transactionHandlers } from './transactions.ts';
import { waitHandlers } from './wait.ts';

installCommands(ALL_COMMANDS, {
  ...aclHandlers,
  ...bitHandlers,
  ...bitOperationHandlers,
  ...bitfieldHandlers,
  ...blockingListHandlers,
  ...clientHandlers,
  ...clusterHandlers,
  ...clusterReplicationHandlers,
  ...commandHandlers,
  ...configHandlers,
  ...connectionHandlers,
  ...databaseHandlers,
  ...debugHandlers,
  ...expiryHandlers,
  ...hashDeadlineHandlers,
  ...hashHandlers,
  ...hashNumberHandlers,
  ...hashRandomHandlers,
  ...hashValueHandlers,
  ...hotKeyHandlers,
  ...hyperLogLogDebugHandlers,
  ...hyperLogLogHandlers,
  ...hyperLogLogSelfTestHandlers,
  ...infoHandlers,
  ...keyHandlers,
  ...latencyHandlers,
  ...latencyHistogramHandlers,
  ...listEndHandlers,
  ...listHandlers,
  ...listSearchHandlers,
  ...memoryHandlers,
  ...missRatioHandlers,
  ...monitorHandlers,
  ...objectHandlers,
  ...persistenceHandlers,
  ...pubsubHandlers,
  ...roleHandlers,
  ...scanHandlers,
  ...serverHandlers,
  ...setAlgebraHandlers,
  ...setHandlers,
  ...setRandomHandlers,
  ...slowLogHandlers,
  ...sortHandlers,
  ...sortedSetAlgebraHandlers,
  ...sortedSetHandlers,
  ...sortedSetPopHandlers,
  ...sortedSetRandomHandlers,
  ...sortedSetRangeHandlers,
  ...stringHandlers,
  ...stringLcsHandlers,
  ...stringManyHandlers,
  ...stringNumberHandlers,
  ...stringRangeHandlers,
  ...transactionHandlers,
  ...waitHandlers,
});
