/**
 * The page's line to the server: history first, then one event a second, and what to do when it breaks. The parts of the
 * browser it needs are arguments, so a test can be the browser.
 *
 *   connecting ──history there──▶ live ──an error, or silence──▶ waiting ──after the back-off──▶ connecting
 *        │
 *        └──401──▶ refused (until `retryNow`)
 */
import { retryDelaySeconds } from './back-off.js';

/** Longer without an event and the line counts as broken, whatever the socket says. */
const SILENCE_MS_MAX = 6000;
const TICK_MS = 1000;

/**
 * @typedef {{ phase: 'connecting' | 'live' | 'refused' } | { phase: 'waiting', seconds: number, reason: string }} Status
 *
 * @typedef {object} StreamParts
 * @property {() => { addEventListener(type: string, listen: (event: any) => void): void, close(): void }} openSource
 * @property {() => Promise<any>} loadHistory rejects with an ApiTrouble
 * @property {(run: () => void, delayMs: number) => unknown} schedule
 * @property {(timer: any) => void} cancel what `schedule` gave
 * @property {(status: Status) => void} onStatus
 * @property {(samples: any[]) => void} onHistory
 * @property {(sample: any) => void} onSample
 * @property {(state: any) => void} onState
 *
 * @typedef {object} Stream
 * @property {StreamParts} parts
 * @property {Status} status
 * @property {number} failures in a row
 * @property {{ close(): void } | undefined} source
 * @property {unknown} timer of the silence or of the wait
 * @property {number} round grows with each attempt, so that answers to an earlier one are dropped
 */

/**
 * @param {StreamParts} parts
 * @returns {Stream}
 */
export function startStream(parts) {
  /** @type {Stream} */
  const stream = {
    parts,
    status: { phase: 'connecting' },
    failures: 0,
    source: undefined,
    timer: undefined,
    round: 0,
  };
  void connect(stream);
  return stream;
}

/**
 * Ends the wait, where there is one.
 * @param {Stream} stream
 */
export function retryNow(stream) {
  if (stream.status.phase !== 'waiting' && stream.status.phase !== 'refused') return;
  void connect(stream);
}

/** @param {Stream} stream */
async function connect(stream) {
  const round = leave(stream);
  setStatus(stream, { phase: 'connecting' });
  try {
    const { samples } = await stream.parts.loadHistory();
    if (round !== stream.round) return;
    stream.parts.onHistory(samples);
    listen(stream, round);
  } catch (trouble) {
    if (round === stream.round) fail(stream, trouble);
  }
}

/**
 * @param {Stream} stream
 * @param {number} round
 */
function listen(stream, round) {
  const source = stream.parts.openSource();
  stream.source = source;
  /** @param {(data: any) => void} take */
  const taking = (take) => (/** @type {{ data: string }} */ event) => {
    if (round !== stream.round) return;
    watchSilence(stream, round);
    stream.failures = 0;
    setStatus(stream, { phase: 'live' });
    take(JSON.parse(event.data));
  };
  source.addEventListener('sample', taking(stream.parts.onSample));
  source.addEventListener('state', taking(stream.parts.onState));
  source.addEventListener('error', () => {
    if (round === stream.round) fail(stream, new Error('the connection was lost'));
  });
  watchSilence(stream, round);
}

/**
 * @param {Stream} stream
 * @param {number} round
 */
function watchSilence(stream, round) {
  const { schedule, cancel } = stream.parts;
  cancel(stream.timer);
  stream.timer = schedule(() => {
    if (round === stream.round) fail(stream, new Error('the server is silent'));
  }, SILENCE_MS_MAX);
}

/**
 * @param {Stream} stream
 * @param {unknown} trouble
 */
function fail(stream, trouble) {
  leave(stream);
  const { message, isRefused } = /** @type {Error & { isRefused?: boolean }} */ (trouble);
  if (isRefused) {
    setStatus(stream, { phase: 'refused' });
    return;
  }
  stream.failures++;
  countDown(stream, retryDelaySeconds(stream.failures), message);
}

/**
 * @param {Stream} stream
 * @param {number} seconds
 * @param {string} reason
 */
function countDown(stream, seconds, reason) {
  if (seconds === 0) {
    void connect(stream);
    return;
  }
  setStatus(stream, { phase: 'waiting', seconds, reason });
  stream.timer = stream.parts.schedule(() => countDown(stream, seconds - 1, reason), TICK_MS);
}

/**
 * Drops the attempt before; resolves to the number of the next one.
 * @param {Stream} stream
 */
function leave(stream) {
  stream.parts.cancel(stream.timer);
  stream.source?.close();
  stream.source = undefined;
  return ++stream.round;
}

/**
 * @param {Stream} stream
 * @param {Status} status
 */
function setStatus(stream, status) {
  if (stream.status.phase === 'live' && status.phase === 'live') return;
  stream.status = status;
  stream.parts.onStatus(status);
}
