/**
 * A real Chromium for tests of pages: one process for a test file, and for each page a list of what it complained about.
 */
import { spawnSync } from 'node:child_process';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

const ARGUMENTS = ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'];

/** What a page under test does not forgive: errors, warnings, refused loads, requests to other hosts. */
export type WatchedPage = { readonly page: Page; readonly complaints: string[] };

/** Starts the Chromium that is on the PATH. */
export function launchChromium(): Promise<Browser> {
  const { stdout } = spawnSync('sh', ['-c', 'command -v chromium'], { encoding: 'utf8' });
  return chromium.launch({ executablePath: stdout.trim(), args: ARGUMENTS });
}

/** A page in a profile of its own, not yet at any address. */
export async function openPage(browser: Browser, options: BrowserContextOptions = {}): Promise<WatchedPage> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => complaints.push(`uncaught: ${error.message}`));
  page.on('request', (request) => {
    const url = new URL(request.url());
    if (url.hostname !== '127.0.0.1' && url.protocol !== 'data:') complaints.push(`asked ${request.url()}`);
  });
  return { page, complaints };
}
