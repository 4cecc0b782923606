/**
 * Users of the real process: over two workers and over HTTP, from files and back to them, and as client libraries log in.
 */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type DistcacheServer, runDistcache, startDistcache } from '../support/distcache-server.ts';
import { createDataFolder } from '../support/lasting-folder.ts';
import { describeWithTools, runTool } from '../support/tools.ts';
import { openWire, type Wire } from '../support/wire.ts';

const NOT_THE_COMMAND = "-NOPERM this user has no permissions to run the 'set' command";
const NOT_THE_KEY = '-NOPERM this user has no permissions to access one of the keys used as arguments';
const WRONG_PASSWORD = '-WRONGPASS invalid username-password pair or user is disabled.';

const wires: Wire[] = [];
afterEach(() => {
  for (const wire of wires.splice(0)) wire.close();
});

async function open(server: DistcacheServer, ...login: string[]): Promise<Wire> {
  const wire = await openWire(server.port);
  wires.push(wire);
  if (login.length > 0) expect(await wire.ask('AUTH', ...login)).toBe('+OK');
  return wire;
}

async function http(
  server: DistcacheServer,
  path: string,
  options: { method?: string; body?: string; login?: string } = {},
): Promise<{ status: number; text: string }> {
  const { method = 'GET', body, login } = options;
  const response = await fetch(`http://127.0.0.1:${server.httpPort}${path}`, {
    method,
    body,
    headers: {
      ...(login === undefined ? {} : { authorization: `Basic ${Buffer.from(login).toString('base64')}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
  });
  return { status: response.status, text: await response.text() };
}

describe('users of all workers', () => {
  let server: DistcacheServer;
  let admin: Wire;
  beforeAll(async () => {
    server = await startDistcache(['--enable-debug-command', 'yes', '--save', '', '--appendonly', 'no']);
    admin = await openWire(server.port);
  });
  afterAll(async () => {
    admin.close();
    await server.stop();
  });

  it('may do what their rules say as soon as the OK is there, on every connection', async () => {
    await admin.ask('ACL', 'SETUSER', 'ann', 'on', '>secret', '~a:*', '%R~r:*', '+@read', '+acl|whoami');
    const clients = await Promise.all([1, 2, 3, 4].map(() => open(server, 'ann', 'secret')));
    for (const client of clients) {
      expect(await client.ask('ACL', 'WHOAMI')).toBe('ann');
      expect(await client.ask('GET', 'a:1')).toBeNull();
      expect(await client.ask('GET', 'b:1')).toBe(NOT_THE_KEY);
      expect(await client.ask('SET', 'a:1', 'x')).toBe(NOT_THE_COMMAND);
    }
    await admin.ask('ACL', 'SETUSER', 'ann', '+set');
    for (const client of clients) {
      expect(await client.ask('SET', 'a:1', 'x')).toBe('+OK');
      expect(await client.ask('SET', 'r:1', 'x')).toBe(NOT_THE_KEY);
      expect(await client.ask('MGET', 'a:1', 'r:1')).toEqual(['x', null]);
      expect(await client.ask('MGET', 'a:1', 'c:1')).toBe(NOT_THE_KEY);
    }
    await admin.ask('ACL', 'SETUSER', 'ann', 'allkeys', 'allcommands', 'allchannels');
    for (const client of clients) expect(await client.ask('SET', 'b:1', 'x')).toBe('+OK');
    await admin.ask('ACL', 'SETUSER', 'ann', 'off', 'resetkeys');
    for (const client of clients) expect(await client.ask('GET', 'a:1')).toBe(NOT_THE_KEY);
    expect(await (await open(server)).ask('AUTH', 'ann', 'secret')).toBe(WRONG_PASSWORD);
  });

  it('are changed by two clients at once without either change being lost', async () => {
    const clients = await Promise.all([1, 2, 3, 4].map(() => open(server)));
    await Promise.all(
      clients.map(async (client, index) => {
        for (let round = 0; round < 25; round += 1) {
          expect(await client.ask('ACL', 'SETUSER', 'all', `~${index}:${round}`)).toBe('+OK');
        }
      }),
    );
    const [, , , , , , , keys] = (await admin.ask('ACL', 'GETUSER', 'all')) as string[];
    expect(new Set(keys.split(' ')).size).toBe(100);
    await admin.ask('ACL', 'DELUSER', 'all');
  });

  it('lose their connections when they are deleted, all but the one that asks, which gets its reply', async () => {
    await admin.ask('ACL', 'SETUSER', 'bob', 'on', 'nopass', 'allcommands');
    const [asking, ...others] = await Promise.all([1, 2, 3, 4].map(() => open(server, 'bob', 'x')));
    asking.socket.write('ACL DELUSER bob nobody\r\nPING\r\n');
    expect(`${await asking.rest()}`).toBe(':1\r\n');
    for (const other of others) await other.closed;
    expect(await admin.ask('ACL', 'USERS')).not.toContain('bob');
  });

  it('are closed by CLIENT KILL USER', async () => {
    await admin.ask('ACL', 'SETUSER', 'eve', 'on', 'nopass', 'allcommands');
    const clients = await Promise.all([1, 2, 3].map(() => open(server, 'eve', 'x')));
    expect(String(await admin.ask('CLIENT', 'LIST')).match(/ user=eve /g)).toHaveLength(3);
    expect(await admin.ask('CLIENT', 'KILL', 'USER', 'nobody')).toBe("-ERR No such user 'nobody'");
    expect(await admin.ask('CLIENT', 'KILL', 'USER', 'eve')).toBe(':3');
    for (const client of clients) await client.closed;
  });

  it('stop listening when they may no more', async () => {
    await admin.ask('ACL', 'SETUSER', 'sub', 'on', 'nopass', 'allcommands', '&news:*', '&talk');
    const [first, second] = await Promise.all([open(server, 'sub', 'x'), open(server, 'sub', 'x')]);
    expect(await first.ask('SUBSCRIBE', 'other')).toBe(
      '-NOPERM this user has no permissions to access one of the channels used as arguments',
    );
    await first.ask('SUBSCRIBE', 'news:1');
    await second.ask('PSUBSCRIBE', 'news:*');
    await admin.ask('ACL', 'SETUSER', 'sub', 'resetchannels', '&news:1');
    await second.closed;
    expect(await admin.ask('PUBLISH', 'news:1', 'x')).toBe(':1');
    await admin.ask('ACL', 'SETUSER', 'sub', 'resetchannels');
    await first.closed;
  });

  it('are found in one log, whoever served them', async () => {
    await admin.ask('ACL', 'LOG', 'RESET');
    await admin.ask('ACL', 'SETUSER', 'log', 'reset', 'on', 'nopass', '+@all', '~a', '-set');
    const clients = await Promise.all([1, 2, 3, 4].map(() => open(server, 'log', 'x')));
    for (const client of clients) {
      await client.ask('SET', 'a', 'x');
      await client.ask('GET', 'b');
    }
    await (await open(server)).ask('AUTH', 'log2', 'x');
    const entries = (await admin.ask('ACL', 'LOG')) as string[][];
    const told = entries.map(([, count, , reason, , context, , object, , user]) =>
      [count, reason, context, object, user].join(' '),
    );
    expect(told.sort()).toEqual([
      ':1 auth toplevel AUTH log2',
      ':4 command toplevel set log',
      ':4 key toplevel b log',
    ]);
    expect(entries.map((entry) => entry[13])).toEqual(
      expect.arrayContaining([expect.stringMatching(/^id=\d+ addr=127.0.0.1:.* user=log /)]),
    );
    expect(await admin.ask('ACL', 'LOG', 'RESET')).toBe('+OK');
    expect(await admin.ask('ACL', 'LOG')).toEqual([]);
  });

  it('are known to the replacement of a worker', async () => {
    await admin.ask('ACL', 'SETUSER', 'late', 'on', '>x', '+get', '~a');
    const lost = await open(server);
    lost.socket.write('DEBUG WORKER-EXIT\r\n');
    await lost.closed;
    await server.logged('serves again');
    admin = await open(server);
    wires.pop();
    for (const client of await Promise.all([1, 2, 3, 4].map(() => open(server, 'late', 'x')))) {
      expect([await client.ask('GET', 'a'), await client.ask('GET', 'b')]).toEqual([null, NOT_THE_KEY]);
    }
  });

  it('see no names of others’ keys on pages where they may run no dangerous command', async () => {
    await admin.ask('ACL', 'SETUSER', 'safe', 'on', '>x', '~safe:*', '+@all', '-@dangerous');
    const asked = ['/v1/hot-keys', '/v1/big-keys', '/v1/slowlog', '/v1/miss-ratio'];
    const answers = await Promise.all(asked.map((path) => http(server, path, { login: 'safe:x' })));
    expect(answers.map(({ status }) => status)).toEqual([403, 403, 403, 200]);
    const search = await http(server, '/v1/big-keys', { method: 'POST', body: '{}', login: 'safe:x' });
    expect(search.status).toBe(403);
  });

  it('keep their passwords out of the slow log and MONITOR', async () => {
    await admin.ask('CONFIG', 'SET', 'slowlog-log-slower-than', '0');
    const monitor = await open(server);
    await monitor.ask('MONITOR');
    await admin.ask('ACL', 'SETUSER', 'quiet', 'on', '>topsecret');
    await open(server, 'quiet', 'topsecret');
    await admin.ask('ECHO', 'end');
    const lines = [];
    while (!lines.at(-1)?.includes('"ECHO"')) lines.push(await monitor.line());
    const slow = JSON.stringify(await admin.ask('SLOWLOG', 'GET', '100'));
    expect(`${lines.join('\n')}${slow}`).not.toContain('topsecret');
    expect(slow).toContain('["ACL","SETUSER","(redacted)","(redacted)","(redacted)"]');
    await admin.ask('CONFIG', 'SET', 'slowlog-log-slower-than', '10000');
  });

  it('log in as programs do: ioredis, node-redis', async () => {
    await admin.ask(
      'ACL',
      'SETUSER',
      'app',
      'on',
      '>päss wörd',
      '~app:*',
      '&*',
      '+@all',
      '-@dangerous',
      '+info',
    );
    const redis = new Redis({ port: server.port, username: 'app', password: 'päss wörd' });
    expect(await redis.set('app:1', 'x')).toBe('OK');
    await expect(redis.set('other', 'x')).rejects.toThrow('NOPERM');
    redis.disconnect();
    const client = createClient({
      url: `redis://127.0.0.1:${server.port}`,
      username: 'app',
      password: 'päss wörd',
    });
    await client.connect();
    expect(await client.get('app:1')).toBe('x');
    await expect(client.flushAll()).rejects.toThrow("no permissions to run the 'flushall' command");
    client.destroy();
  });

  describeWithTools('redis-cli', ['redis-cli'], () => {
    it('logs in, too', async () => {
      await admin.ask('ACL', 'SETUSER', 'teller', 'on', '>päss wörd', '+@all');
      const login = ['-p', `${server.port}`, '--user', 'teller', '--pass', 'päss wörd', '--no-auth-warning'];
      expect((await runTool('redis-cli', [...login, 'ACL', 'WHOAMI'])).stdout).toBe('teller\n');
    });
  });

  it('are the users of HTTP, with the same rules', async () => {
    await admin.ask(
      'ACL',
      'SETUSER',
      'web',
      'on',
      '>x',
      '%R~pub:*',
      '~own:*',
      '+@read',
      '+@write',
      '+ping',
      '+info',
    );
    const login = 'web:x';
    expect((await http(server, '/v1/keys/own:1', { method: 'PUT', body: '1', login })).status).toBe(201);
    expect((await http(server, '/v1/keys/pub:1', { method: 'PUT', body: '1', login })).status).toBe(403);
    expect((await http(server, '/v1/keys/own:1', { login })).text).toBe('1');
    expect((await http(server, '/v1/keys/pub:1', { login })).status).toBe(404);
    expect((await http(server, '/v1/keys/other', { login })).text).toContain('NOPERM');
    const commands = [
      ['PING'],
      ['GET', 'own:1'],
      ['GET', 'other'],
      ['CONFIG', 'GET', 'port'],
      ['ACL', 'WHOAMI'],
    ];
    const body = JSON.stringify(commands);
    const { text } = await http(server, '/v1/pipeline', { method: 'POST', body, login });
    expect(JSON.parse(text)).toEqual([
      'PONG',
      '1',
      { error: expect.stringContaining('NOPERM') },
      { error: expect.stringContaining('NOPERM') },
      { error: expect.stringContaining('NOPERM') },
    ]);
    expect((await http(server, '/metrics', { login })).status).toBe(200);
    expect((await http(server, '/v1/history', { login })).status).toBe(200);
    const refused = await http(server, '/v1/config', { login });
    expect([refused.status, refused.text]).toEqual([403, expect.stringContaining('CONFIG GET')]);
    expect((await http(server, '/v1/slowlog/reset', { method: 'POST', login })).status).toBe(403);
    expect((await http(server, '/v1/config')).status).toBe(200);
    expect((await http(server, '/metrics', { login: 'web:wrong' })).status).toBe(401);
    const [latest] = (await admin.ask('ACL', 'LOG', '1')) as string[][];
    expect([latest[3], latest[7], latest[9]]).toEqual(['auth', 'http', 'web']);
    await admin.ask('ACL', 'SETUSER', 'web', 'reset');
    expect((await http(server, '/metrics', { login })).status).toBe(401);
  });

  it('make the default user one among others', async () => {
    const stranger = await open(server);
    await admin.ask('ACL', 'SETUSER', 'default', 'resetpass', '>first');
    expect(await stranger.ask('PING')).toBe('+PONG');
    expect(await (await open(server)).ask('PING')).toBe('-NOAUTH Authentication required.');
    await admin.ask('CONFIG', 'SET', 'requirepass', 'second');
    const client = await open(server);
    expect(await client.ask('AUTH', 'first')).toBe(WRONG_PASSWORD);
    expect(await client.ask('AUTH', 'second')).toBe('+OK');
    expect((await http(server, '/metrics')).status).toBe(401);
    expect((await http(server, '/metrics', { login: ':second' })).status).toBe(200);
    await admin.ask('CONFIG', 'SET', 'requirepass', '');
    expect(await (await open(server)).ask('PING')).toBe('+PONG');
  });
});

describe('users in files', () => {
  const servers: DistcacheServer[] = [];
  const folder = createDataFolder();
  afterEach(async () => {
    for (const server of servers.splice(0)) await server.stop();
  });
  afterAll(() => folder.remove());
  const start = async (...flags: string[]): Promise<[DistcacheServer, Wire]> => {
    const server = await startDistcache(['--save', '', '--appendonly', 'no', ...flags]);
    servers.push(server);
    return [server, await open(server)];
  };

  it('come from the ACL file, go back to it, and nothing is loaded from a file with a slip', async () => {
    const path = join(folder.path, 'users.acl');
    writeFileSync(path, 'user ann on >secret ~a* +@read\nuser bob on nopass +@all ~* &*\n', { mode: 0o640 });
    const [server, wire] = await start('--aclfile', path);
    const bob = await open(server, 'bob', 'x');
    expect(await wire.ask('ACL', 'USERS')).toEqual(['ann', 'bob', 'default']);
    await wire.ask('ACL', 'SETUSER', 'eve', 'on', '+lpush');
    expect(await wire.ask('ACL', 'SAVE')).toBe('+OK');
    const saved = readFileSync(path, 'utf8');
    expect(saved).toBe(((await wire.ask('ACL', 'LIST')) as string[]).map((line) => `${line}\n`).join(''));
    expect(statSync(path).mode & 0o777).toBe(0o640);
    writeFileSync(path, 'user ann on +@nosuch\nuser ann\nnonsense\n');
    expect(await wire.ask('ACL', 'LOAD')).toBe(
      `-ERR ${path}:1: Error in applying operation '+@nosuch': Unknown command or category name in ACL. WARNING: Duplicate ` +
        `user 'ann' found on line 2. ${path}:3 should start with user keyword followed by the username. WARNING: ACL errors ` +
        'detected, no change to the previously active ACL rules was performed',
    );
    expect(await wire.ask('ACL', 'USERS')).toHaveLength(4);
    writeFileSync(path, saved.replace('user eve', 'user eva'));
    expect(await wire.ask('ACL', 'LOAD')).toBe('+OK');
    await bob.closed;
    expect(await wire.ask('ACL', 'USERS')).toEqual(['ann', 'bob', 'default', 'eva']);
  });

  it('keep the password of requirepass where the ACL file says nothing of the default user', async () => {
    const path = join(folder.path, 'others.acl');
    writeFileSync(path, 'user ann on nopass +@all ~*\n');
    const [server, wire] = await start('--aclfile', path, '--requirepass', 'secret');
    expect(await wire.ask('PING')).toBe('-NOAUTH Authentication required.');
    const ann = await open(server, 'ann', 'x');
    ann.socket.write('ACL LOAD\r\nPING\r\n');
    expect(`${await ann.rest()}`).toBe('+OK\r\n');
    expect(await (await open(server)).ask('PING')).toBe('-NOAUTH Authentication required.');
  });

  it('come from lines of the configuration, and CONFIG REWRITE keeps them', async () => {
    const path = join(folder.path, 'server.conf');
    writeFileSync(path, '# ours\nuser ann on >secret ~a* (~b* +get)\ntimeout 7\nuser bob off\n');
    const [first, wire] = await start('--config', path);
    await wire.ask('ACL', 'DELUSER', 'bob');
    await wire.ask('ACL', 'SETUSER', 'eve', 'on', 'nopass', '~"e', '&news', '+@read', '-get');
    const list = await wire.ask('ACL', 'LIST');
    expect(await wire.ask('CONFIG', 'REWRITE')).toBe('+OK');
    const text = readFileSync(path, 'utf8');
    expect(text).toMatch(/^# ours\ntimeout 7\n/);
    expect(text).not.toMatch(/secret|bob|user default/);
    await first.stop();
    const [, again] = await start('--config', path);
    expect(await again.ask('ACL', 'LIST')).toEqual(list);
    expect(await again.ask('CONFIG', 'REWRITE')).toBe('+OK');
    expect(usersIn(readFileSync(path, 'utf8'))).toEqual(usersIn(text));
    expect(usersIn(text)).toHaveLength(2);
  });

  it.each([
    [['--user', 'ann', 'on', '+nosuch'], "user 'ann': '+nosuch': Unknown command or category name in ACL"],
    [['--user', 'ann', 'on', '#secret'], 'The password hash must be exactly 64 characters'],
    [['--user', 'ann', '--aclfile', 'x'], 'declare them in one of the two places, not in both'],
    [['--aclfile', '/nosuch/file'], "opening file '/nosuch/file': no such file"],
  ])('stop the start where they are wrong: %j', async (flags, problem) => {
    const { code, stdout, stderr } = await runDistcache(['--port', '0', '--http-port', '0', ...flags]);
    expect(code).toBe(78);
    expect((stdout + stderr).toLowerCase()).toContain(problem.toLowerCase());
    expect(stdout + stderr).not.toContain('#secret');
  });
});

function usersIn(text: string): string[] {
  return text.split('\n').filter((line) => line.startsWith('user '));
}
