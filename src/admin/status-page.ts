/**
 * The page at `/`: a short table of the reading and links to the other pages, in plain HTML without script or style. Pure;
 * main thread.
 */
import type { Reading } from '../metrics/reading.ts';

const LINKS = ['/metrics', '/readyz?verbose', '/livez', '/healthz'];

export function statusPage(reading: Reading): string {
  const rows = statusRows(reading).map(
    ([name, value]) => `<tr><th>${name}</th><td>${escapeHtml(value)}</td></tr>`,
  );
  const links = LINKS.map((path) => `<li><a href="${path}">${path}</a></li>`);
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>DistCache</title></head>
<body>
<h1>DistCache</h1>
<table>
${rows.join('\n')}
</table>
<ul>
${links.join('\n')}
</ul>
</body>
</html>
`;
}

function statusRows({
  server,
  uptimeSeconds,
  totals,
  keyspace,
  rates,
}: Reading): [name: string, value: string][] {
  const lookUps = totals.keyspaceHits + totals.keyspaceMisses;
  return [
    ['Version', server.version],
    ['Up for', `${uptimeSeconds} s`],
    ['Workers', String(server.workers)],
    ['Connections', String(totals.connectionsOpen)],
    ['Commands', `${totals.commands} in all, ${Math.round(rates.opsPerSecond)} per second now`],
    ['Keys', `${keyspace.keys}, ${keyspace.expiring} of them with a deadline`],
    ['Memory', `${keyspace.usedBytes} of ${keyspace.limitBytes} bytes`],
    [
      'Hits',
      lookUps === 0
        ? 'no look-ups yet'
        : `${((100 * totals.keyspaceHits) / lookUps).toFixed(1)} % of look-ups`,
    ],
    ['Removed', `${keyspace.expiredKeys} keys expired, ${keyspace.evictedKeys} evicted`],
  ];
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
