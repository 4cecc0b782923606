/**
 * A watch of all keys under a prefix: one stream of lines from etcd, opened anew, from the revision where it broke off, as often as
 * it takes, so that no change is missed and none comes twice.
 *
 * Main thread. A stream that is silent for too long is taken for dead. When etcd does not have the next revision any more (it was
 * compacted), the watch ends and says so: its owner reads everything and begins a new one.
 */
import { Buffer } from 'node:buffer';
import { ExponentialBackoff, type IBackoff } from 'cockatiel';
import { EtcdError } from '../base/errors.ts';
import { pauseFor } from '../base/pause.ts';
import { ETCD_LINE_BYTES_MAX, ETCD_PAUSE_MS_MAX } from '../config/limits-cluster.ts';
import { afterPrefix, type EtcdValue, readValue, toBase64, type WireValue, wireNumber } from './etcd.ts';
import { type Etcd, forgetLogins, openStream } from './etcd-gateway.ts';

/** A change of a key: what it has now, or that it is gone (then with neither value nor lease). */
export type EtcdEvent = EtcdValue & { readonly isRemoved: boolean };

export type EtcdWatcher = {
  /** The changes of one or several revisions, whole and in order. */
  readonly onEvents: (events: readonly EtcdEvent[]) => void;
  /** The watch has ended by itself: what happened since cannot be had. Once, and nothing comes after it. */
  readonly onLost: () => void;
  /** Whether the watch stands, whenever that changes; `reason` is for the operator. */
  readonly onStanding?: (stands: boolean, reason: string) => void;
};

type Watch = {
  readonly etcd: Etcd;
  readonly prefix: string;
  readonly watcher: EtcdWatcher;
  readonly ending: AbortController;
  readonly pauses: ExponentialBackoff<unknown>;
  nextRevision: number;
  stands: boolean;
  /** Whether etcd has said of the present stream that it stands. */
  isOpen: boolean;
};

type WireWatch = {
  readonly result?: {
    readonly header?: { readonly revision?: string };
    readonly created?: boolean;
    readonly canceled?: boolean;
    readonly cancel_reason?: string;
    readonly compact_revision?: string;
    readonly events?: readonly { readonly type?: string; readonly kv?: WireValue }[];
  };
  readonly error?: { readonly message?: string };
};

const NEWLINE = 0x0a;

/** Watches from `fromRevision` on. Returns what stops it; after that nothing is called. */
export function watchPrefix(
  etcd: Etcd,
  prefix: string,
  fromRevision: number,
  watcher: EtcdWatcher,
): () => void {
  const watch: Watch = {
    etcd,
    prefix,
    watcher,
    ending: new AbortController(),
    pauses: new ExponentialBackoff({
      initialDelay: etcd.patience.pauseMsMin,
      maxDelay: ETCD_PAUSE_MS_MAX,
    }),
    nextRevision: fromRevision,
    stands: false,
    isOpen: false,
  };
  void run(watch);
  return () => watch.ending.abort();
}

async function run(watch: Watch): Promise<void> {
  const { signal } = watch.ending;
  let pause: IBackoff<unknown> | undefined;
  while (!signal.aborted) {
    const end = await follow(watch);
    if (signal.aborted) return;
    if (end === 'compacted') {
      watch.watcher.onLost();
      return;
    }
    if (watch.isOpen) pause = undefined;
    if (end !== 'silent') stand(watch, false, end);
    pause = (pause ?? watch.pauses).next(undefined);
    await pauseFor(pause.duration, signal);
  }
}

/** One stream, until it ends; resolves to why: 'silent' and 'compacted' are among the reasons. Never rejects. */
async function follow(watch: Watch): Promise<string> {
  const { etcd, prefix, nextRevision, ending } = watch;
  const silence = new AbortController();
  const body = {
    create_request: {
      key: toBase64(prefix),
      range_end: toBase64(afterPrefix(prefix)),
      start_revision: `${nextRevision}`,
    },
  };
  const timer = setTimeout(() => silence.abort(), etcd.patience.watchSilenceMsMax);
  timer.unref();
  watch.isOpen = false;
  try {
    const signal = AbortSignal.any([ending.signal, silence.signal]);
    const stream = await openStream(etcd, '/v3/watch', body, signal);
    for await (const line of linesOf(stream)) {
      if (ending.signal.aborted) return 'stopped';
      timer.refresh();
      const end = takeLine(watch, line);
      if (end !== undefined) return end;
    }
    return 'etcd has ended the watch';
  } catch (error) {
    if (silence.signal.aborted) return watch.isOpen ? 'silent' : 'no answer in time';
    return error instanceof EtcdError ? error.message : `the watch broke off: ${(error as Error).message}`;
  } finally {
    clearTimeout(timer);
    silence.abort();
  }
}

/** Undefined: the stream goes on. Else why it ends. */
function takeLine(watch: Watch, line: string): string | undefined {
  const { result, error } = JSON.parse(line) as WireWatch;
  if (result === undefined) return error?.message ?? 'etcd has ended the watch';
  if (wireNumber(result.compact_revision) > 0) return 'compacted';
  if (result.canceled === true) {
    forgetLogins(watch.etcd);
    return result.cancel_reason ?? 'etcd has ended the watch';
  }
  if (result.created === true) {
    watch.isOpen = true;
    stand(watch, true, '');
  }
  const events = (result.events ?? []).map(readEvent);
  if (events.length === 0) return undefined;
  watch.nextRevision = events[events.length - 1].modRevision + 1;
  watch.watcher.onEvents(events);
  return undefined;
}

function readEvent({ type, kv }: { readonly type?: string; readonly kv?: WireValue }): EtcdEvent {
  return { ...readValue(kv ?? {}), isRemoved: type === 'DELETE' };
}

function stand(watch: Watch, stands: boolean, reason: string): void {
  if (watch.stands === stands) return;
  watch.stands = stands;
  watch.watcher.onStanding?.(stands, reason);
}

/** The lines of a stream, whatever pieces they come in. Throws where one has no end. */
async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      pieces.push(chunk.subarray(start, end));
      const line = Buffer.concat(pieces).toString();
      if (line !== '') yield line;
      pieces = [];
      bytes = 0;
      start = end + 1;
    }
    pieces.push(chunk.subarray(start));
    bytes += chunk.length - start;
    if (bytes > ETCD_LINE_BYTES_MAX) throw new EtcdError('etcd sends a line without an end', 'unknown');
  }
}
