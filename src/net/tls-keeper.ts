/**
 * TLS on the main thread: reads the files, checks them, tells the workers, and opens and closes the encrypted port as the
 * configuration says.
 *
 * One `TlsKeeper` per process. What is in force stays so until something better has been read whole.
 */
import { randomBytes } from 'node:crypto';
import { StartError } from '../base/errors.ts';
import type { Change, Config } from '../config/config.ts';
import { readTlsMaterial, type TlsMaterial } from '../config/tls-files.ts';
import { type Bus, handleTopic, requestAll } from '../threads/bus.ts';
import type { Log } from '../threads/log.ts';
import { type Listener, type ListenerOptions, startTlsListener, stopListener } from './listener.ts';
import { tlsProblemOf } from './tls-context.ts';
import { type TlsIssue, TOPIC_TLS_MATERIAL, TOPIC_TLS_MATERIAL_WANTED } from './tls-door.ts';

export type TlsKeeper = {
  readonly config: Config;
  readonly bus: Bus;
  readonly log: Log;
  issue: TlsIssue | undefined;
  /** Told of each material that is put in force: the servers of HTTPS. */
  readonly followers: Set<(material: TlsMaterial) => void>;
  /** How the encrypted port is opened; undefined before the start has come to the doors, and in the stop. */
  listenerOptions: ListenerOptions | undefined;
  listener: Listener | undefined;
  /** The port that is open, 0 for none. */
  port: number;
  /** One change after the other. */
  queue: Promise<unknown>;
};

const TICKET_KEYS_BYTES = 48;
const TLS_NAME = /^tls-/;
const REFUSED_MATERIAL = 'Unable to update TLS configuration. Check server logs.';
const REFUSED_PORT = 'Unable to listen on this port. Check server logs.';

/**
 * Reads what TLS is made of, where the configuration opens a port of it, and answers workers that ask. Throws a StartError
 * where it cannot be used.
 */
export function createTlsKeeper(config: Config, bus: Bus, log: Log): TlsKeeper {
  const keeper: TlsKeeper = {
    ...{ config, bus, log },
    issue: undefined,
    followers: new Set(),
    listenerOptions: undefined,
    listener: undefined,
    port: 0,
    queue: Promise.resolve(),
  };
  handleTopic(bus, TOPIC_TLS_MATERIAL_WANTED, () => keeper.issue ?? null);
  if (isWanted(config)) {
    const problem = renewIssue(keeper);
    if (problem !== undefined) throw new StartError(`TLS cannot be configured: ${problem}`, 1);
  }
  return keeper;
}

/** Opens the encrypted port. Throws a StartError where it cannot be had. */
export async function openTlsPort(keeper: TlsKeeper, options: ListenerOptions): Promise<void> {
  keeper.listenerOptions = options;
  await movePort(keeper);
}

/** Accepts no more. */
export async function closeTlsPort(keeper: TlsKeeper): Promise<void> {
  keeper.listenerOptions = undefined;
  await keeper.queue;
  if (keeper.listener !== undefined) await stopListener(keeper.listener);
  keeper.listener = undefined;
}

/**
 * Puts in force what CONFIG SET has changed; resolves to the error to answer, '' for none. Files are read anew at every change
 * of a `tls-` directive while a port of TLS is open, also where its text stays the same.
 */
export function settleTls(keeper: TlsKeeper, changes: readonly Change[]): Promise<string> {
  const [name] = changes.map(([changed]) => changed).filter((changed) => TLS_NAME.test(changed));
  if (name === undefined) return Promise.resolve('');
  const settled = keeper.queue.then(() => settle(keeper)).catch((error) => reportBug(keeper, error));
  keeper.queue = settled;
  return settled.then((problem) =>
    problem === '' ? '' : `ERR CONFIG SET failed (possibly related to argument '${name}') - ${problem}`,
  );
}

async function settle(keeper: TlsKeeper): Promise<string> {
  const { config, log } = keeper;
  if (isWanted(config)) {
    const problem = renewIssue(keeper);
    if (problem !== undefined) {
      log.warning(`TLS stays as it was: ${problem}`);
      return REFUSED_MATERIAL;
    }
    await requestAll(keeper.bus, TOPIC_TLS_MATERIAL, keeper.issue);
    log.notice('the files of TLS were read: they hold for new connections');
  }
  try {
    await movePort(keeper);
    return '';
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    log.warning(error.message);
    return REFUSED_PORT;
  }
}

/** The new one is opened before the old one is closed. */
async function movePort(keeper: TlsKeeper): Promise<void> {
  const { config, listener, listenerOptions } = keeper;
  if (listenerOptions === undefined || config.tlsPort === keeper.port) return;
  const opened = config.tlsPort === 0 ? undefined : await startTlsListener(listenerOptions);
  keeper.listener = opened;
  keeper.port = config.tlsPort;
  if (listener !== undefined) await stopListener(listener);
}

/** Reads and checks the files; what is wrong with them, or undefined after they were put in force on this thread. */
function renewIssue(keeper: TlsKeeper): string | undefined {
  const read = readTlsMaterial(keeper.config, randomBytes(TICKET_KEYS_BYTES));
  if ('problem' in read) return read.problem;
  const { material } = read;
  const problem = tlsProblemOf(material);
  if (problem !== undefined) return problem;
  keeper.issue = { number: (keeper.issue?.number ?? 0) + 1, material };
  for (const follow of keeper.followers) follow(material);
  return undefined;
}

function isWanted({ tlsPort, httpTlsPort }: Config): boolean {
  return tlsPort !== 0 || httpTlsPort !== 0;
}

function reportBug({ log }: TlsKeeper, error: unknown): string {
  log.error('TLS cannot be changed', error);
  return REFUSED_MATERIAL;
}
