/**
 * `npm run screenshots`: the pictures of the dashboard in docs/images, of a real server under a mixed load. Takes a minute and a
 * half, and needs chromium on the PATH.
 */
import { mkdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright-core';
import { nextRandom } from '../src/base/random.ts';
import { launchChromium, openPage } from '../test/support/browser.ts';
import { type DistcacheServer, startDistcache } from '../test/support/distcache-server.ts';

const FOLDER = fileURLToPath(new URL('../docs/images/', import.meta.url));
const SERVER_FLAGS = ['--workers', '4', '--maxmemory', '24mb'];
const CONNECTIONS = 24;
const KEYS = 400_000;
const VALUE = 'v'.repeat(180);
const WARM_UP_MS = 75_000;
const SETTLE_MS = 2500;
const BATCH_EVERY_MS = 20;
const BATCH_COMMANDS_MEAN = 14;
const SWING_MS = 23_000;

type Picture = { name: string; width: number; height: number; scheme: 'light' | 'dark' };

const PICTURES: Picture[] = [
  { name: 'dashboard-light', width: 1440, height: 1400, scheme: 'light' },
  { name: 'dashboard-dark', width: 1440, height: 1400, scheme: 'dark' },
  { name: 'dashboard-narrow', width: 390, height: 1290, scheme: 'dark' },
];

let state = 1;
const server = await startDistcache(SERVER_FLAGS);
const sockets = Array.from({ length: CONNECTIONS }, () => connect(server.port, '127.0.0.1').resume());
const loading = setInterval(() => sendBatches(sockets), BATCH_EVERY_MS);
const browser = await launchChromium();
try {
  mkdirSync(FOLDER, { recursive: true });
  await passed(WARM_UP_MS);
  for (const picture of PICTURES) await takePicture(browser, server, picture);
} finally {
  clearInterval(loading);
  for (const socket of sockets) socket.destroy();
  await browser.close();
  await server.stop();
}

async function takePicture(
  browser: Browser,
  { httpPort }: DistcacheServer,
  { name, width, height, scheme }: Picture,
): Promise<void> {
  const { page, complaints } = await openPage(browser, { viewport: { width, height }, colorScheme: scheme });
  await page.goto(`http://127.0.0.1:${httpPort}/`);
  await page.getByText('1 m', { exact: true }).click();
  await passed(SETTLE_MS);
  await page.screenshot({ path: `${FOLDER}${name}.png` });
  await page.context().close();
  console.log(`${name}.png`, complaints.length === 0 ? '' : complaints);
}

/** Few keys are asked for often and many seldom; the load swings, so that the lines have a shape. */
function sendBatches(targets: readonly Socket[]): void {
  const swing = 1 + 0.6 * Math.sin((performance.now() / SWING_MS) * 2 * Math.PI);
  for (const socket of targets) {
    const commands = Array.from({ length: Math.ceil(BATCH_COMMANDS_MEAN * swing) }, nextCommand);
    socket.write(commands.join(''));
  }
}

function nextCommand(): string {
  const kind = chance();
  const key = `product:${Math.floor(KEYS * chance() ** 4)}`;
  if (kind < 0.6) return `GET ${key}\r\n`;
  if (kind < 0.82) return `SET ${key} ${VALUE}\r\n`;
  if (kind < 0.88) return `SET session:${Math.floor(KEYS * chance())} ${VALUE} EX 20\r\n`;
  if (kind < 0.93) return `INCR counter:${Math.floor(50 * chance())}\r\n`;
  if (kind < 0.96) return `MGET ${key} product:1 product:2\r\n`;
  if (kind < 0.98) return `EXPIRE ${key} 600\r\n`;
  return kind < 0.99 ? `TTL ${key}\r\n` : `DEL ${key}\r\n`;
}

function chance(): number {
  state = nextRandom(state);
  return (state >>> 0) / 2 ** 32;
}

function passed(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
