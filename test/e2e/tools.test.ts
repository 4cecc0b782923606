/**
 * The command-line tools that people point at a Redis, against the real server: redis-cli, redis-benchmark, netcat.
 */
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { type DistcacheServer, startDistcache, WITHOUT_HTTP } from '../support/distcache-server.ts';
import { requestBytes } from '../support/request-bytes.ts';
import { describeWithTools, runTool } from '../support/tools.ts';
import { openWire, type Wire } from '../support/wire.ts';

const PIPED_COMMANDS = 100_000;

let server: DistcacheServer;
let wire: Wire;
beforeAll(async () => {
  server = await startDistcache(WITHOUT_HTTP);
  wire = await openWire(server.port);
});
beforeEach(async () => {
  expect(await wire.ask('FLUSHALL')).toBe('+OK');
});
afterAll(async () => {
  wire.close();
  await server.stop();
});

async function redisCli(...rest: string[]): Promise<string> {
  const { code, stdout, stderr } = await runTool('redis-cli', ['-p', `${server.port}`, ...rest]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
}

describeWithTools('redis-cli', ['redis-cli'], () => {
  it('asks single commands, in RESP2 and in RESP3', async () => {
    expect(await redisCli('PING')).toBe('PONG\n');
    expect(await redisCli('-3', 'SET', 'key', 'value')).toBe('OK\n');
    expect(await redisCli('GET', 'key')).toBe('value\n');
    expect(await redisCli('-3', 'CONFIG', 'GET', 'databases')).toBe('databases 16\n');
    expect(await redisCli('-n', '5', 'DBSIZE')).toBe('0\n');
    expect(await redisCli('INFO', 'server')).toContain('redis_version:7.0.15\r\n');
  });

  it('takes the last argument from its input (-x)', async () => {
    const set = await runTool('redis-cli', ['-p', `${server.port}`, '-x', 'SET', 'key'], 'from input\n');
    expect(set.stdout).toBe('OK\n');
    expect(await wire.ask('GET', 'key')).toBe('from input\n');
  });

  it('runs a script of commands, errors included', async () => {
    const { stdout } = await runTool(
      'redis-cli',
      ['-p', `${server.port}`],
      'SET a 1\nINCR a\nNOSUCH\nGET a\n',
    );
    expect(stdout).toMatch(/^OK\n2\nERR unknown command 'NOSUCH'[^\n]*\n+2\n$/);
  });

  it('finds all keys, the big ones, and those that take the most memory', async () => {
    const pairs = Array.from({ length: 1_000 }, (_, i) => [`key:${i}`, 'small']).flat();
    await wire.ask('MSET', ...pairs, 'other', 'x', 'key:big', 'x'.repeat(50_000));
    const found = (await redisCli('--scan', '--pattern', 'key:*')).trim().split('\n');
    expect(new Set(found).size).toBe(1_001);
    expect(found).not.toContain('other');
    const bigKeys = await redisCli('--bigkeys');
    expect(bigKeys).toContain('Sampled 1002 keys in the keyspace!');
    expect(bigKeys).toMatch(/Biggest string found '"key:big"' has 50000 bytes/);
    expect(await redisCli('--memkeys')).toMatch(/Biggest string found '"key:big"' has 5\d{4} bytes/);
  });

  it(`loads ${PIPED_COMMANDS} commands at once (--pipe)`, async () => {
    const input = Buffer.concat(
      Array.from({ length: PIPED_COMMANDS }, (_, i) => requestBytes('SET', `piped:${i % 5_000}`, `${i}`)),
    );
    const { code, stdout } = await runTool('redis-cli', ['-p', `${server.port}`, '--pipe'], input);
    expect(code).toBe(0);
    expect(stdout).toContain(`errors: 0, replies: ${PIPED_COMMANDS}`);
    expect(await wire.ask('GET', 'piped:4999')).toBe(`${PIPED_COMMANDS - 1}`);
  });
});

describeWithTools('redis-benchmark', ['redis-benchmark'], () => {
  it.each([1, 16])('runs its string tests with %i commands in a pipeline', async (pipeline) => {
    const flags = [
      '-t',
      'ping,set,get,incr,mset',
      '-n',
      '2000',
      '-c',
      '10',
      '-P',
      `${pipeline}`,
      '-r',
      '1000',
      '-q',
    ];
    const { code, stdout, stderr } = await runTool('redis-benchmark', ['-p', `${server.port}`, ...flags]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const test of ['PING_INLINE', 'PING_MBULK', 'SET', 'GET', 'INCR', 'MSET (10 keys)']) {
      expect(stdout).toContain(`${test}: `);
    }
    expect(stdout).not.toMatch(/error/i);
    expect(await wire.ask('DBSIZE')).toMatch(/^:[1-9]/);
  });
});

describeWithTools('netcat', ['nc'], () => {
  async function netcat(input: string): Promise<string> {
    const { stdout } = await runTool('nc', ['-N', '127.0.0.1', `${server.port}`], input);
    return stdout;
  }

  it('speaks inline commands and gets every answer before the connection ends', async () => {
    expect(await netcat('PING\n')).toBe('+PONG\r\n');
    expect(await netcat('SET k v\n')).toBe('+OK\r\n');
    expect(await netcat('GET k\n')).toBe('$1\r\nv\r\n');
    expect(await netcat('DEL k\n')).toBe(':1\r\n');
    expect(await netcat('SET quoted "two words\\n"\r\nGET quoted\r\n')).toBe('+OK\r\n$10\r\ntwo words\n\r\n');
    expect(await netcat('CLIENT LIST\nKEYS *\nPING\n')).toMatch(
      /^\$\d+\r\nid=[\s\S]*\*1\r\n\$6\r\nquoted\r\n\+PONG\r\n$/,
    );
  });

  it('is let go by QUIT though it keeps its own side open', async () => {
    const { stdout } = await runTool('sh', [
      '-c',
      `printf 'PING\\r\\nQUIT\\r\\n' | nc 127.0.0.1 ${server.port}`,
    ]);
    expect(stdout).toBe('+PONG\r\n+OK\r\n');
  });

  it('gets the answers to a long input that ends at once', async () => {
    const replies = await netcat('INCR counter\r\n'.repeat(20_000));
    expect(replies).toBe(Array.from({ length: 20_000 }, (_, i) => `:${i + 1}\r\n`).join(''));
  });
});
