/**
 * The edge of the process: arguments, signals, exit codes. What lies between start and stop is in server.ts.
 *
 * Exit codes: 0 after a stop that was asked for, 1 for an address or folder that cannot be had (and for a stop that a second
 * signal cut short), 70 for a bug, 78 for the configuration.
 */
import { setFlagsFromString } from 'node:v8';
import { systemClock } from './base/clock.ts';
import { StartError } from './base/errors.ts';
import { PLACES } from './base/places.ts';
import { VERSION } from './base/version.ts';
import type { Config } from './config/config.ts';
import { currentSurroundings } from './config/file.ts';
import {
  INLINED_BYTECODE_BYTES_MAX,
  INLINED_BYTECODE_BYTES_TOGETHER_MAX,
  STOP_MS_MAX,
} from './config/limits.ts';
import { loadConfig } from './config/load.ts';
import { runTool } from './durability/command-line.ts';
import { enterFolder } from './durability/storage.ts';
import { type Server, startServer, stopServer } from './server.ts';
import { MAIN_THREAD_ID } from './threads/boot.ts';
import { createLog, type Log } from './threads/log.ts';
import { openLogSink } from './threads/log-sink.ts';

const EXIT_STOPPED = 0;
const EXIT_FORCED = 1;
/** sysexits.h: an internal error. */
const EXIT_BUG = 70;

/** How much longer than its bound a stop may take before the process ends anyway. */
const STOP_GRACE_MS = 100;

/** Where the life of the process stands. */
type Life = { readonly log: Log; server: Server | undefined; stopping: boolean };

try {
  await main();
} catch (error) {
  if (!(error instanceof StartError)) throw error;
  process.stderr.write(`distcache: ${error.message}\n`);
  process.exit(error.exitCode);
}

async function main(): Promise<void> {
  const argv = process.argv.slice(2);
  const toolCode = argv[0] === 'cluster' ? await askCluster(argv.slice(1)) : await runTool(argv);
  if (toolCode !== undefined) {
    process.exitCode = toolCode;
    return;
  }
  const loaded = loadConfig(process.argv.slice(2), process.env, currentSurroundings());
  if (loaded.kind === 'help') process.stdout.write(loaded.text);
  else if (loaded.kind === 'version') process.stdout.write(`distcache ${VERSION}\n`);
  else await run(loaded.config, loaded.notices);
}

/** Loaded only where it is wanted. */
async function askCluster(argv: readonly string[]): Promise<number> {
  const { processSurroundings, runClusterTool } = await import('./cluster/command-line.ts');
  return runClusterTool(argv, processSurroundings(currentSurroundings().readFile));
}

async function run(config: Config, notices: readonly string[]): Promise<void> {
  tuneCompiler();
  enterFolder(config.dir);
  const logSink = openLogSink({ file: config.logfile, pretty: wantsPrettyLog(config) });
  const log = createLog(config, MAIN_THREAD_ID, logSink);
  const life: Life = { log, server: undefined, stopping: false };
  handleSignals(life);
  log.debug('running', { from: PLACES.home });
  for (const notice of notices) log.notice(notice);
  life.server = await startServer({
    config,
    clock: systemClock,
    log,
    logSink,
    requestStop: (reason) => void (life.stopping || stop(life, reason)),
  });
}

function wantsPrettyLog({ logFormat, logfile }: Config): boolean {
  return logFormat === 'pretty' || (logFormat === 'auto' && logfile === '' && process.stdout.isTTY === true);
}

/** For all threads, none of which has begun; what the compiler has done before keeps its bounds. */
function tuneCompiler(): void {
  setFlagsFromString(`--max-inlined-bytecode-size=${INLINED_BYTECODE_BYTES_MAX}`);
  setFlagsFromString(`--max-inlined-bytecode-size-cumulative=${INLINED_BYTECODE_BYTES_TOGETHER_MAX}`);
}

function handleSignals(life: Life): void {
  const { log } = life;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void stop(life, signal));
  // A terminal that closes does not end a server, as with redis-server.
  process.on('SIGHUP', () => undefined);
  process.on('uncaughtException', (error) => {
    log.error('the main thread failed; the process ends', error);
    process.exit(EXIT_BUG);
  });
}

/** Stops and ends the process within two seconds; asked a second time, at once. */
async function stop(life: Life, reason: string): Promise<void> {
  const { log, server } = life;
  if (life.stopping) {
    log.warning(`${reason} again: the process ends at once`);
    process.exit(EXIT_FORCED);
  }
  life.stopping = true;
  log.notice(`${reason}: stopping`);
  // Before the server is up there are no clients to wait for.
  if (server === undefined) process.exit(EXIT_STOPPED);
  setTimeout(() => {
    if (server.saving) return;
    log.warning('the stop took too long; the process ends');
    process.exit(EXIT_STOPPED);
  }, STOP_MS_MAX + STOP_GRACE_MS);
  const graceful = await stopServer(server);
  if (!graceful) log.warning('some workers did not finish in time and were ended');
  log.notice('stopped');
  process.exit(EXIT_STOPPED);
}
