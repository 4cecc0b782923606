/** The examples of docs/http-api.md, run as they stand there, and the pages at /docs. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchChromium, openPage } from '../support/browser.ts';
import { type DistcacheServer, startDistcache } from '../support/distcache-server.ts';

const PAGE = new URL('../../docs/http-api.md', import.meta.url);
const BLOCK = /```console\n([\s\S]*?)```/g;
const DEFAULT_ADDRESS = 'localhost:8080';

/** What is looked at of an OpenAPI document. */
type Operation = {
  summary?: string;
  parameters: { name: string }[];
  responses: Record<string, unknown>;
  requestBody: { content: Record<string, unknown> };
};
type Document = { openapi: string; paths: Record<string, Record<string, Operation>> };

type Example = { command: string; output: string };

let server: DistcacheServer;
beforeAll(async () => {
  server = await startDistcache();
});
afterAll(() => server.stop());

async function fetchDocument(): Promise<Document> {
  const response = await fetch(`http://127.0.0.1:${server.httpPort}/docs/json`);
  return (await response.json()) as Document;
}

function examplesOf(block: string): Example[] {
  const [, ...parts] = `\n${block}`.split('\n$ ');
  return parts.map((part) => {
    const [command, ...lines] = part.split('\n');
    return { command, output: lines.join('\n') };
  });
}

/** The output with `...` for anything. A line that is only that stands for any number of lines. */
function patternOf(output: string): RegExp {
  const lines = output
    .trimEnd()
    .split('\n')
    .map((line) => {
      if (line === '...') return '[\\s\\S]*';
      return line.split('...').map(RegExp.escape).join('.*');
    });
  return new RegExp(`^${lines.join('\\s*')}\\s*$`);
}

it('the examples of the page do what the page says', async () => {
  const blocks = [...readFileSync(PAGE, 'utf8').matchAll(BLOCK)].map(([, block]) => block);
  expect(blocks.length).toBeGreaterThan(4);
  for (const block of blocks) {
    const examples = examplesOf(block);
    const script = examples.map(({ command }) => `${command}\nprintf '\\0'`).join('\n');
    const own = script.replaceAll(DEFAULT_ADDRESS, `127.0.0.1:${server.httpPort}`);
    const { stdout } = await promisify(execFile)('bash', ['-c', own]);
    const outputs = stdout.split('\0');
    for (const [index, { command, output }] of examples.entries())
      expect(outputs[index], command).toMatch(patternOf(output));
  }
});

describe('the description of the routes', () => {
  it('names every route of keys with its parameters and answers', async () => {
    const document = await fetchDocument();
    expect(document.openapi).toMatch(/^3\.1\./);
    const { get, put, delete: remove } = document.paths['/v1/keys/{key}'];
    expect([get.summary, put.summary, remove.summary]).toEqual(['Read a key', 'Store a key', 'Remove a key']);
    const names = put.parameters.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(['key', 'db', 'ttl', 'pttl', 'if-match', 'if-none-match']));
    expect(Object.keys(get.responses)).toEqual(expect.arrayContaining(['200', '304', 'default']));
    expect(document.paths['/v1/pipeline'].post.requestBody.content).toHaveProperty('application/json');
  });

  it('says something of every route', async () => {
    const document = await fetchDocument();
    const bare = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods)
        .filter(([, { summary }]) => summary === undefined)
        .map(([method]) => `${method} ${path}`),
    );
    expect(bare).toEqual([]);
  });

  it('is a page that a browser shows without a complaint, and sends requests from', async () => {
    const browser = await launchChromium();
    try {
      const { page, complaints } = await openPage(browser);
      await page.goto(`http://127.0.0.1:${server.httpPort}/docs`);
      const operation = page.locator('.opblock', { hasText: 'List keys' });
      await operation.click();
      await operation.getByRole('button', { name: 'Try it out' }).click();
      await operation.getByRole('button', { name: 'Execute', exact: true }).click();
      await operation.getByText('"cursor": "0"').first().waitFor();
      expect(complaints).toEqual([]);
    } finally {
      await browser.close();
    }
  });

  it('is a page that loads only what this server has', async () => {
    const page = await fetch(`http://127.0.0.1:${server.httpPort}/docs`);
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    const html = await page.text();
    const addresses = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, address]) => address);
    expect(addresses.length).toBeGreaterThan(3);
    for (const address of addresses) {
      const { status } = await fetch(new URL(address, `http://127.0.0.1:${server.httpPort}/`));
      expect([address, status]).toEqual([address, 200]);
      expect(address.startsWith('/')).toBe(true);
    }
    // A script in the page itself would not run under the policy.
    expect(html).not.toMatch(/<script(?![^>]*src=)/);
  });
});
