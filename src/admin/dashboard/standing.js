/**
 * How the server stands: the top bar, the checks of readiness, what the log and the snapshots do, and loading. Written from
 * the event `state`.
 */
import { byId, element, setText } from './dom.js';
import { formatAge, formatBytes, formatCount, formatMilliseconds, formatPercent } from './format.js';

/** @typedef {import('./shapes.d.ts').StateAnswer} StateAnswer */

/** @param {StateAnswer} state */
export function showStanding(state) {
  showServer(state);
  showChecks(state);
  showLog(state);
  showSnapshot(state);
  showLoading(state);
}

/** @param {StateAnswer} state */
function showServer({ server, ready }) {
  const { host, port, version, workers, uptimeSeconds } = server;
  setText(byId('server-address'), port === 0 ? host : `${host}:${port}`);
  setText(byId('server-version'), `v${version}`);
  setText(byId('server-workers'), workers === 1 ? '1 worker' : `${workers} workers`);
  setText(byId('server-uptime'), `up ${formatAge(uptimeSeconds)}`);
  setText(byId('eviction-policy'), server.maxmemoryPolicy);
  const chip = byId('ready');
  chip.dataset.state = ready.ready ? 'good' : 'bad';
  setText(byId('ready-text'), ready.ready ? 'Ready' : 'Not ready');
  document.title = `${ready.ready ? '' : 'Not ready: '}${host}:${port} · DistCache`;
}

/** @param {StateAnswer} state */
function showChecks({ ready }) {
  const list = byId('checks');
  while (list.children.length > ready.checks.length) list.lastElementChild?.remove();
  while (list.children.length < ready.checks.length) {
    list.append(
      element('li', {}, element('span', { class: 'mark' }), element('span', {}), element('small', {})),
    );
  }
  ready.checks.forEach(({ name, ok, reason, detail }, index) => {
    const item = /** @type {HTMLElement} */ (list.children[index]);
    const [, label, note] = item.children;
    item.dataset.state = ok ? 'good' : 'bad';
    setText(label, name);
    setText(note, ok ? detail || 'ok' : reason || 'failed');
  });
}

/** @param {StateAnswer} state */
function showLog({ log }) {
  const synced = log.streams.reduce((most, { syncMsMax }) => Math.max(most, syncMsMax), 0);
  const isSick = log.enabled && (log.breaker !== 'closed' || log.troubled);
  showFact(
    'log-state',
    !log.enabled ? 'off' : isSick ? `troubled, breaker ${log.breaker}` : 'writing',
    isSick,
  );
  showFact('log-policy', log.enabled ? log.policy : '–');
  showFact('log-bytes', formatBytes(log.bytes));
  showFact('log-sync-max', log.enabled ? formatMilliseconds(synced) : '–');
}

/** @param {StateAnswer} state */
function showSnapshot({ t, snapshot, server }) {
  const { running, entries, entriesDone, lastMs, lastFailed, bytes } = snapshot;
  const part = running && entries > 0 ? Math.min(1, entriesDone / entries) : 0;
  const bar = /** @type {HTMLProgressElement} */ (byId('snapshot-progress'));
  bar.value = part;
  bar.dataset.state = running ? 'running' : 'idle';
  const last = lastMs <= server.startedAtMs ? 'none yet' : `${formatAge((t - lastMs) / 1000)} ago`;
  const now = `${formatPercent(Math.floor(100 * part) / 100)} of ${formatCount(entries)}`;
  showFact(
    'snapshot-state',
    running ? now : lastFailed ? 'the last one failed' : last,
    lastFailed && !running,
  );
  showFact('snapshot-bytes', formatBytes(bytes));
}

/** @param {StateAnswer} state */
function showLoading({ loading }) {
  const notice = byId('loading');
  notice.hidden = !loading.loading;
  if (!loading.loading) return;
  const part = loading.bytes > 0 ? loading.bytesDone / loading.bytes : 0;
  /** @type {HTMLProgressElement} */ (byId('loading-progress')).value = part;
  setText(
    byId('loading-text'),
    `Loading the data: ${formatBytes(loading.bytesDone)} of ${formatBytes(loading.bytes)}`,
  );
}

/**
 * @param {string} id
 * @param {string} text
 * @param {boolean} [isBad]
 */
function showFact(id, text, isBad = false) {
  const fact = byId(id);
  setText(fact, text);
  fact.dataset.state = isBad ? 'bad' : '';
}
