/**
 * The page's start: builds the panels, then opens the line to the server and passes on what comes.
 */
import { getJson } from './api.js';
import { createBigKeys } from './big-keys.js';
import { createCharts, drawCharts, recolourCharts, setWindow } from './charts.js';
import { createClients } from './clients.js';
import { createCluster } from './cluster.js';
import { showConnection } from './connection.js';
import { byId } from './dom.js';
import { createHeadline } from './headline.js';
import { createHistory, pushSample, replaceHistory } from './history.js';
import { createHotKeys } from './hot-keys.js';
import { createKeyTypes } from './key-types.js';
import { announce } from './live-region.js';
import { startNavigation } from './navigation.js';
import { createPollster, setLive } from './poll.js';
import { createShardRing } from './ring.js';
import { createSettings } from './settings.js';
import { createShards } from './shards.js';
import { createSizing } from './sizing.js';
import { createSlowLog } from './slow-log.js';
import { showStanding } from './standing.js';
import { retryNow, startStream } from './stream.js';
import { startTheme } from './theme.js';
import { createWorkers } from './workers.js';

/** @typedef {import('./shapes.d.ts').StateAnswer} StateAnswer */

const WINDOW_SECONDS = 300;

const history = createHistory();
const charts = createCharts(history, WINDOW_SECONDS);
const writeHeadline = createHeadline();
const pollster = createPollster();
const ring = createShardRing(pollster);
const writeShards = createShards(ring.select);
const writeWorkers = createWorkers();
const writeKeyTypes = createKeyTypes();
const writeCluster = createCluster(pollster);
const sizing = createSizing(pollster);
createHotKeys(pollster);
createBigKeys(pollster);
createSlowLog(pollster);
createClients(pollster);
createSettings(pollster);
startNavigation();
startTheme(() => {
  recolourCharts(charts);
  sizing.recolour();
});

/** @type {StateAnswer | undefined} */
let state;

for (const choice of document.querySelectorAll('input[name=window]')) {
  choice.addEventListener('change', () => {
    setWindow(charts, Number(/** @type {HTMLInputElement} */ (choice).value));
    writeHeadline(history, charts.windowSeconds);
  });
}

const stream = startStream({
  openSource: () => new EventSource('v1/live'),
  loadHistory: () => getJson('v1/history'),
  schedule: (run, delayMs) => setTimeout(run, delayMs),
  cancel: (timer) => clearTimeout(timer),
  onStatus: (status) => {
    showConnection(status);
    setLive(pollster, status.phase === 'live');
  },
  onHistory: (samples) => {
    replaceHistory(history, samples);
    redraw();
  },
  onSample: (sample) => {
    pushSample(history, sample);
    redraw();
  },
  onState: takeState,
});

byId('banner-retry').addEventListener('click', () => {
  // A document that is loaded anew asks for the password again; a fetch after a refusal does not.
  if (stream.status.phase === 'refused') location.reload();
  else retryNow(stream);
});
document.addEventListener('visibilitychange', () => {
  if (document.hidden) return;
  if (stream.status.phase === 'waiting') retryNow(stream);
  redraw();
});

function redraw() {
  drawCharts(charts);
  writeHeadline(history, charts.windowSeconds);
}

/** @param {StateAnswer} next */
function takeState(next) {
  if (state !== undefined && state.server.runId !== next.server.runId) {
    announce('The server was started anew.');
    state = undefined;
  }
  if (!document.hidden) {
    showStanding(next);
    writeShards(next, state);
    writeWorkers(next, state);
    writeKeyTypes(next);
    writeCluster(next);
  }
  state = next;
}
