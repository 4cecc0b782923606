/**
 * The state of the line to the server, in words: the chip in the top bar, and the banner when it is broken. What is on the
 * page then is dimmed, because it is old.
 */
import { byId, setText } from './dom.js';

/**
 * @param {import('./stream.js').Status} status
 */
export function showConnection(status) {
  const chip = byId('connection');
  const isLost = status.phase === 'waiting' || status.phase === 'refused';
  chip.dataset.state = { live: 'good', connecting: 'wait', waiting: 'bad', refused: 'bad' }[status.phase];
  setText(byId('connection-text'), chipText(status));
  if (status.phase === 'live') document.body.dataset.stale = 'no';
  else if (isLost) document.body.dataset.stale = 'yes';
  if (status.phase === 'connecting') return;
  const banner = byId('banner');
  banner.dataset.shown = isLost ? 'yes' : 'no';
  banner.inert = !isLost;
  if (isLost) writeBanner(status);
  else setText(byId('banner-spoken'), '');
}

/** @param {import('./stream.js').Status} status */
function writeBanner(status) {
  const isRefused = status.phase === 'refused';
  const headline = isRefused ? 'The password was refused' : 'Connection lost';
  const detail =
    status.phase === 'waiting'
      ? `${sentence(status.reason)} Retrying in ${status.seconds} s.`
      : 'This server asks for the password of requirepass. Sign in to see it.';
  setText(byId('banner-headline'), headline);
  setText(byId('banner-detail'), detail);
  setText(byId('banner-retry'), isRefused ? 'Sign in' : 'Retry now');
  // Not the seconds: they would be read out one by one.
  setText(byId('banner-spoken'), `${headline}.`);
}

/** @param {import('./stream.js').Status} status */
function chipText(status) {
  if (status.phase === 'waiting') return 'Lost';
  return { live: 'Live', connecting: 'Connecting', refused: 'Refused' }[status.phase];
}

/** @param {string} text */
function sentence(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
