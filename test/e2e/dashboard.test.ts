/**
 * The dashboard in a real Chromium against the real server: what a person sees while it works, while it is loaded, when it
 * is killed, and what can be done from the page.
 */
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { launchChromium, openPage, type WatchedPage } from '../support/browser.ts';
import { type DistcacheServer, startDistcache } from '../support/distcache-server.ts';
import { connectClient, type RespClient } from '../support/resp-client.ts';
import { describeWithTools } from '../support/tools.ts';

const PHONE = { width: 360, height: 740 };
/** Scripts of the page, as texts: the types of the browser are not those of the tests. */
const OVERFLOW_PX = 'document.documentElement.scrollWidth - innerWidth';
const FOCUSED = `(({ id, tagName, ariaLabel, textContent }) =>
  id || ariaLabel || (tagName === 'BODY' ? '' : textContent.trim()))(document.activeElement)`;
const BACKGROUND = 'getComputedStyle(document.body).backgroundColor';
const DARK = 'rgb(10, 13, 18)';
const LIGHT = 'rgb(245, 246, 248)';
const FIND = { timeout: 15_000, interval: 50 };

// A browser, a server and their tests share the machine with other tests.
vi.setConfig({ testTimeout: 60_000 });

let server: DistcacheServer;
let browser: Browser;
let shared: WatchedPage | undefined;
let watched: WatchedPage;
const clients: RespClient[] = [];

/** The page that the tests share which ask for nothing of their own; the first of them loads it. */
async function sharedPage(): Promise<Page> {
  shared ??= await openPage(browser);
  watched = shared;
  if (watched.page.url() === 'about:blank') await visit(server);
  return watched.page;
}

async function ownPage(options: BrowserContextOptions): Promise<Page> {
  watched = await openPage(browser, options);
  return watched.page;
}

async function visit({ httpPort }: DistcacheServer): Promise<void> {
  await watched.page.goto(`http://127.0.0.1:${httpPort}/`);
  await see(() => text('#connection-text'), 'Live');
}

async function client(): Promise<RespClient> {
  const made = await connectClient({ port: server.port });
  clients.push(made);
  return made;
}

function text(selector: string): Promise<string | null> {
  return watched.page.textContent(selector);
}

/** Waits until the page shows it. */
async function see<Value>(look: () => Promise<Value>, wanted: Value): Promise<void> {
  await expect.poll(look, FIND).toEqual(wanted);
}

async function infoField(asker: RespClient, name: string): Promise<string> {
  const info = await asker.ask('INFO');
  return new RegExp(`^${name}[:=](.*?)[\\r,]`, 'm').exec(info.replace(/^db0:/m, ''))?.[1] ?? '';
}

/** Points of the small line of operations. */
async function linePoints(page: Page): Promise<number> {
  const path = await page.locator('#tile-operations .spark-line').getAttribute('d');
  return path === null ? 0 : path.split('L').length;
}

describeWithTools('the dashboard', ['chromium'], () => {
  beforeAll(async () => {
    [server, browser] = await Promise.all([startDistcache(), launchChromium()]);
  }, 60_000);
  afterEach(async () => {
    for (const { socket } of clients.splice(0)) socket.destroy();
    if (watched !== shared) await watched.page.context().close();
  });
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
  });

  it('loads without an error, a violation of its policy or a request to anybody else', async () => {
    const page = await sharedPage();
    for (const link of await page.locator('nav a:not([hidden])').all()) await link.click();
    // What is filled above it while the page scrolls may push it out of sight again.
    await see(
      async () => {
        await page.locator('#settings').scrollIntoViewIfNeeded();
        return text('#settings-total');
      },
      await settingsTotal(),
    );
    await see(() => page.locator('#ring-arcs path').count(), 2);
    await see(
      () =>
        page
          .locator('canvas')
          .count()
          .then((count) => count > 3),
      true,
    );
    expect(await page.title()).toMatch(/^[^ ]+:\d+ · DistCache$/);
    expect(watched.complaints).toEqual([]);
  });

  it('moves under load, and agrees with INFO', async () => {
    const page = await sharedPage();
    await page.getByRole('link', { name: 'Traffic' }).click();
    const [writer, asker] = [await client(), await client()];
    for (let key = 0; key < 137; key++) await writer.ask(`SET counted:${key} value`);
    await see(() => text('#tile-keys .tile-number'), '137');
    expect(await infoField(asker, 'keys')).toBe('137');
    await see(() => text('#tile-connections .tile-number'), await infoField(asker, 'connected_clients'));
    await see(
      () =>
        page
          .locator('#chart-throughput .legend')
          .innerText()
          .then((legend) => /SET/.test(legend)),
      true,
    );
    const flow = { isOver: false };
    const loading = (async () => {
      while (!flow.isOver) await writer.ask('GET counted:1');
    })();
    await expect
      .poll(async () => Number.parseFloat((await text('#tile-operations .tile-number')) ?? ''), FIND)
      .toBeGreaterThan(20);
    await see(() => text('#tile-hit-ratio .tile-value'), '100%');
    flow.isOver = true;
    await loading;
  });

  it('shows after a reload what was before it', async () => {
    const page = await sharedPage();
    await expect.poll(() => linePoints(page), FIND).toBeGreaterThan(2);
    const before = await linePoints(page);
    await page.reload();
    let first = 0;
    const look = async () => {
      first = await linePoints(page);
      return first;
    };
    await expect.poll(look, { ...FIND, interval: 20 }).toBeGreaterThan(1);
    expect(first).toBeGreaterThanOrEqual(before);
  });

  it('cuts off a client, after asking once more', async () => {
    const page = await sharedPage();
    const victim = await client();
    await victim.ask('CLIENT SETNAME victim');
    const id = /\d+/.exec(await victim.ask('CLIENT ID'))?.[0];
    await page.getByRole('link', { name: 'Clients' }).click();
    const named = page.locator('#clients-table').getByRole('cell', { name: 'victim', exact: true });
    await see(() => named.count(), 1);
    const ask = page.getByRole('button', { name: `Kill client ${id}`, exact: true });
    await ask.click();
    await page.keyboard.press('Escape');
    await ask.press('Enter');
    await page.getByRole('button', { name: `Yes, kill client ${id}` }).click();
    await victim.closed;
    await see(() => text('#note'), `Client ${id} was cut off.`);
    await see(() => named.count(), 0);
  });

  it('finds the big keys', async () => {
    const page = await sharedPage();
    const writer = await client();
    await writer.ask(`SET "a big one" ${'x'.repeat(20_000)}`);
    await page.getByRole('link', { name: 'Keys' }).click();
    await page.locator('#big-keys-start').click();
    const first = page.locator('#big-keys tbody tr').first();
    await see(() => first.locator('td').first().textContent(), 'a big one');
    expect(await first.innerText()).toMatch(/string.*19\.\d.KiB.*none/s);
    await see(() => page.locator('#big-keys-start').isEnabled(), true);
  });

  it('tells how many keys are of which type', async () => {
    const page = await sharedPage();
    const writer = await client();
    await writer.ask('FLUSHALL');
    for (let i = 0; i < 3; i += 1) await writer.ask(`HSET hash:${i} field value`);
    await writer.ask('ZADD ranks 1 one');
    const types = async () => (await page.locator('#key-types-list').innerText()).replace(/\s+/g, ' ');
    await see(types, 'Strings 0 0 % Lists 0 0 % Sets 0 0 % Sorted sets 1 25.0 % Hashes 3 75.0 %');
    const widths = await page
      .locator('#key-types-bar .share-part')
      .evaluateAll((parts) => parts.map((part) => part.getBoundingClientRect().width));
    expect(widths[4] / widths[3]).toBeCloseTo(3, 1);
  });

  it('filters the configuration, and shows what differs from its default', async () => {
    const page = await sharedPage();
    await page.getByRole('link', { name: 'Configuration' }).click();
    const rows = page.locator('#settings tbody tr');
    await expect.poll(() => rows.count(), FIND).toBeGreaterThan(20);
    await page.getByLabel('Filter the configuration').fill('maxmemory-policy');
    const names = () => page.locator('#settings tbody td:first-child').allTextContents();
    await expect.poll(() => rows.count(), FIND).toBeLessThan(5);
    expect(await names()).toContain('maxmemory-policy');
    await page.getByLabel('Filter the configuration').press('Escape');
    await page.getByLabel('Only what differs').check();
    await expect.poll(names, FIND).not.toContain('appendfsync');
    expect(await names()).toEqual(expect.arrayContaining(['http-port', 'maxmemory', 'port']));
    await page.getByLabel('Filter the configuration').fill('no such thing');
    await see(() => page.locator('#settings .empty').isVisible(), true);
  });

  it('can be walked with the keyboard alone', async () => {
    const page = await ownPage({});
    await visit(server);
    await see(
      () =>
        page
          .locator('#settings-total')
          .innerText()
          .then((total) => total !== ''),
      false,
    );
    await page.keyboard.press('Tab');
    expect(await page.evaluate(FOCUSED)).toBe('Skip to the numbers');
    await page.keyboard.press('Enter');
    const stops: unknown[] = [];
    for (let step = 0; step < 60 && stops.at(-1) !== 'settings-filter'; step++) {
      await page.keyboard.press('Tab');
      stops.push(await page.evaluate(FOCUSED));
    }
    expect(stops).toEqual(
      expect.arrayContaining(['ring-slider', 'Shards', 'Workers', 'big-keys-start', 'settings-filter']),
    );
    // The ring is asked for when it comes in sight.
    await page.locator('#ring-slider').focus();
    await see(() => page.locator('#ring-arcs path').count(), 2);
    await page.locator('#ring-slider').press('ArrowRight');
    await see(() => text('#ring-caption'), 'slots in shard 0');
    await page.keyboard.press('Escape');
    await see(() => text('#ring-caption'), 'shards');
    const slots = page.locator('#shards th', { hasText: 'Slots' });
    await slots.getByRole('button').press('Enter');
    await see(() => slots.getAttribute('aria-sort'), 'descending');
    await slots.getByRole('button').press('Enter');
    await see(() => slots.getAttribute('aria-sort'), 'ascending');
  });

  it('says nothing of a cluster on a server that is alone', async () => {
    const page = await sharedPage();
    expect(await page.locator('#cluster').isVisible()).toBe(false);
    expect(await page.getByRole('link', { name: 'Cluster' }).count()).toBe(0);
  });

  it('shows the nodes of a cluster, what they have, and what is on the move', async () => {
    const page = await ownPage({});
    await serveCluster(page, 3);
    await page.getByRole('link', { name: 'Cluster' }).click();
    const rows = page.locator('#nodes-table tbody tr');
    await see(() => rows.count(), 3);
    const cellsOf = async (row: number) =>
      (await rows.nth(row).locator('td').allTextContents()).map((cell) => cell.replaceAll('\u202f', ' '));
    await see(
      () => cellsOf(0),
      [
        ...['00000000', 'this one, coordinator', '10.0.0.0:6379', 'alive', '5,462', '7'],
        ...['–', '5,000 of 5,461', '–', '–', '–', '–'],
      ],
    );
    await see(
      () => cellsOf(2),
      [
        ...['00000002', '', '10.0.0.2:6379', 'gone', '5,461', '0', '100 of 5,462', '–'],
        ...['1.50 KiB', '250 µs', '1,234 /s', 'open'],
      ],
    );
    expect(await rows.nth(1).getByRole('link').getAttribute('href')).toBe('http://10.0.0.1:8080/');
    await see(() => text('#cluster-nodes'), '2 alive, 1 gone');
    await see(() => page.getAttribute('#cluster-nodes', 'data-state'), 'bad');
    await see(() => text('#cluster-covered'), '10,923 of 16,384');
    await see(() => text('#cluster-moving'), '7');
    await see(() => page.locator('#cluster-ring-arcs path').count(), 3);
    await page.locator('#cluster-ring-slider').press('ArrowRight');
    await see(() => text('#cluster-ring-caption'), 'slots in 00000000');
    await page.keyboard.press('Escape');
    await see(() => text('#cluster-ring-caption'), 'nodes');
    expect(watched.complaints).toEqual([]);
  });

  it('fits a phone, with as many shards, workers and nodes as there can be', async () => {
    const page = await ownPage({ viewport: PHONE, colorScheme: 'dark' });
    await serveCluster(page, 255);
    await see(() => page.locator('#shards-table tbody tr').count(), 256);
    await see(() => page.locator('#workers-table tbody tr').count(), 64);
    await see(() => page.locator('#checks li').count(), 3);
    await page.locator('#cluster').scrollIntoViewIfNeeded();
    await see(() => page.locator('#nodes-table tbody tr').count(), 255);
    await see(() => page.locator('#cluster-ring-arcs path').count(), 255);
    expect(await page.evaluate(OVERFLOW_PX)).toBe(0);
  });

  it('is light or dark as the system says, until the button says otherwise, for good', async () => {
    const page = await sharedPage();
    await page.emulateMedia({ colorScheme: 'dark' });
    await see(() => page.evaluate(BACKGROUND), DARK);
    await page.locator('#theme').click();
    await see(() => page.evaluate(BACKGROUND), LIGHT);
    await page.reload();
    await see(() => page.evaluate(BACKGROUND), LIGHT);
    expect(await page.getByRole('button', { name: 'Use dark colours' }).count()).toBe(1);
  });

  it('says so when the password is refused', async () => {
    const page = await ownPage({});
    await page.route('**/v1/history', (route) => route.fulfill({ status: 401, json: { detail: 'no' } }));
    await page.goto(`http://127.0.0.1:${server.httpPort}/`);
    await see(() => text('#banner-headline'), 'The password was refused');
    await see(() => text('#connection-text'), 'Refused');
    await see(() => page.locator('#banner-retry').innerText(), 'Sign in');
  });

  it('signs in with the password that the browser has asked for', async () => {
    const guarded = await startDistcache(['--requirepass', 'secret']);
    try {
      const page = await ownPage({ httpCredentials: { username: '', password: 'secret' } });
      await visit(guarded);
      await see(() => page.locator('#shards-table tbody tr').count(), 2);
    } finally {
      await guarded.stop();
    }
  });

  it('says that the server is gone, and goes on when it is back', async () => {
    const page = await sharedPage();
    const { httpPort } = server;
    server.kill('SIGKILL');
    await server.exit;
    await see(() => text('#banner-headline'), 'Connection lost');
    expect(await text('#banner-detail')).toMatch(/Retrying in \d+ s\./);
    await see(() => page.locator('#banner').isVisible(), true);
    expect(await page.getAttribute('body', 'data-stale')).toBe('yes');
    server = { ...(await startDistcache(['--http-port', `${httpPort}`])), httpPort };
    await see(() => text('#connection-text'), 'Live');
    await see(() => page.locator('#banner').isVisible(), false);
    expect(await page.getAttribute('body', 'data-stale')).toBe('no');
    await see(() => text('#tile-keys .tile-number'), '0');
  });
});

async function settingsTotal(): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${server.httpPort}/v1/config`);
  const settings = (await response.json()) as { differs: boolean }[];
  const changed = settings.filter(({ differs }) => differs).length;
  return `${changed} of ${settings.length} differ from their default`;
}

function eventOf(name: string, data: unknown): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** Serves the page a state of a cluster, of which there is none, and its ring. */
async function serveCluster(page: Page, nodes: number): Promise<void> {
  const idOf = (index: number) => index.toString(16).padStart(8, '0').padEnd(40, 'f');
  const slotsOf = (index: number) => Math.floor(16_384 / nodes) + (index < 16_384 % nodes ? 1 : 0);
  const cluster = {
    ...{ name: 'a cluster', ownId: idOf(0), coordinatorId: idOf(0), epoch: 42, isCovered: false },
    ...{ isServing: true, leaseLeftMs: 2500, wholeReplicas: 5000, handingOver: 0, movingSlots: 7 },
    coveredSlots: 16_384 - slotsOf(nodes - 1),
    slots: { own: slotsOf(0), replica: slotsOf(1), importing: 0, strange: slotsOf(2) },
    keys: { own: 1000, replica: 900, importing: 0, strange: 0 },
    nodes: Array.from({ length: nodes }, (_, index) => ({
      ...{ id: idOf(index), index, host: `10.0.0.${index}`, port: 6379, tlsPort: 0, httpPort: 8080 },
      ...{ weight: 100, isAlive: index !== nodes - 1, isOwn: index === 0, isCoordinator: index === 0 },
      ...{ slots: slotsOf(index), replicas: slotsOf(index), coming: index === 0 ? 7 : 0 },
      ...{
        isFed: index === 2,
        fedSlots: index === 2 ? 5462 : 0,
        fedWhole: 100,
        fedCopies: 1,
        fedHeardAgoMs: null,
      },
      ...{ fedBehindBytes: 1024, fedInFlightBytes: 512 },
      ...{ heldSlots: index === 0 ? 5461 : 0, heldWhole: 5000 },
      ...(index === 0
        ? { circuit: null, pingMs: null, commandsPerSecond: null }
        : { circuit: 'open', pingMs: 0.25, commandsPerSecond: 1234 }),
    })),
  };
  const ring = {
    slots: 16_384,
    owners: cluster.nodes.map(({ index, id, slots }) => ({ node: index, id, slots })),
    ranges: Array.from({ length: 16_384 }, (_, slot) => [slot, slot, slot % nodes]),
  };
  await page.route('**/v1/live', async (route) => {
    const body = eventOf('state', { ...(largeState() as object), cluster });
    await route.fulfill({ contentType: 'text/event-stream', body });
  });
  await page.route('**/v1/cluster/ring', (route) => route.fulfill({ json: ring }));
  await page.goto(`http://127.0.0.1:${server.httpPort}/`);
}

/** A state of many shards and workers, in numbers as long as they become. */
function largeState(): unknown {
  const shard = {
    ...{
      owner: 63,
      slots: 16_384,
      keys: 999_999,
      expiring: 888_888,
      usedBytes: 2 ** 40,
      limitBytes: 2 ** 41,
    },
    ...{ fragmentation: 1.25, evictedKeys: 1, expiredKeys: 1, expiryLagMs: 999.5, lockWaits: 1 },
    ...{ lockHoldP99Us: 987.6, lockHoldMaxUs: 1, pendingLogBytes: 999_999 },
  };
  const worker = {
    ...{ connections: 10_000, commands: 1, bytesIn: 1, bytesOut: 1, turnP99Us: 12_345, loopDelayP99Ms: 999 },
    turns: 1,
  };
  const host = 'a-host-with-a-rather-long-name.example';
  const reason = 'a reason that goes on for longer than the line of a phone is wide';
  return {
    t: 1,
    server: {
      ...{ version: '0.1.0', runId: 'run', startedAtMs: 0, uptimeSeconds: 1e7, workers: 64 },
      host,
      port: 65_535,
      maxmemoryPolicy: 'allkeys-lru',
    },
    ready: {
      ready: false,
      checks: ['running', 'workers', 'log'].map((name) => ({ name, ok: name !== 'log', reason })),
    },
    shards: Array.from({ length: 256 }, (_shard, index) => ({ index, ...shard })),
    workers: Array.from({ length: 64 }, (_worker, index) => ({ index, ...worker })),
    types: ['string', 'list', 'set', 'zset', 'hash'].map((name) => ({ name, keys: 888_888_888 })),
    log: { enabled: true, policy: 'everysec', breaker: 'open', troubled: true, bytes: 2 ** 40, streams: [] },
    snapshot: { running: true, entries: 1e9, entriesDone: 5e8, lastMs: 0, lastFailed: false, bytes: 2 ** 40 },
    loading: { loading: true, bytes: 2 ** 40, bytesDone: 2 ** 39 },
    cluster: null,
  };
}
