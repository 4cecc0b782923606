/** MONITOR on the real server with two workers: all commands of all, in order; slow monitors; workers that die. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type DistcacheServer, startDistcache } from '../support/distcache-server.ts';
import { eventually, infoField, metricTotal, residentBytes } from '../support/readings.ts';
import { openWire, type Wire } from '../support/wire.ts';

const WORKERS = 2;
const MIB = 2 ** 20;
const LINE = /^\+(\d+)\.\d{6} \[(\d+) (\S+)\] (.*)$/;

let server: DistcacheServer;
let opened: Wire[];
beforeAll(async () => {
  server = await startDistcache(['--workers', `${WORKERS}`, '--enable-debug-command', 'yes']);
});
beforeEach(() => {
  opened = [];
});
afterEach(async () => {
  for (const { close } of opened) close();
  const last = await openWire(server.port);
  await eventually(async () => (await infoField(last, 'connected_clients')) === 1);
  last.close();
});
afterAll(() => server.stop());

/** Connected one after the other, and served before the next: the least loaded worker gets each, so they take turns. */
async function open(count: number): Promise<Wire[]> {
  for (let i = 0; i < count; i += 1) {
    const wire = await openWire(server.port);
    await wire.ask('PING');
    opened.push(wire);
  }
  return opened.slice(-count);
}

/** So many connections of each worker, by worker: a client's number tells whose it is. */
async function openOnEach(count: number): Promise<Wire[][]> {
  const wires: Wire[][] = Array.from({ length: WORKERS }, () => []);
  while (wires.some((own) => own.length < count)) {
    const [wire] = await open(1);
    const id = Number(String(await wire.ask('CLIENT', 'ID')).slice(1));
    wires[(id - 1) % WORKERS].push(wire);
  }
  return wires;
}

/** The next line that a monitor gets: whose command it was, and what. */
async function nextLine(monitor: Wire): Promise<{ address: string; command: string }> {
  const [, , , address, command] = LINE.exec(String(await monitor.reply())) ?? [];
  return { address, command };
}

const addressOf = ({ socket }: Wire) => `127.0.0.1:${socket.localPort}`;

describe('a monitor', () => {
  it('is told of every command of every client, on its worker and the other, in the order of each', async () => {
    const COMMANDS = 5_000;
    const [monitor, other, ...clients] = await open(8);
    expect(await monitor.ask('MONITOR')).toBe('+OK');
    expect(await other.ask('MONITOR')).toBe('+OK');
    for (const { socket } of clients) {
      let text = '';
      for (let i = 0; i < COMMANDS; i += 1) text += `SET key ${i}\r\n`;
      socket.write(text);
    }
    for (const watching of [monitor, other]) {
      const counts = new Map(clients.map((client) => [addressOf(client), 0]));
      for (let i = 0; i < COMMANDS * clients.length; i += 1) {
        const { address, command } = await nextLine(watching);
        const count = counts.get(address) ?? Number.NaN;
        if (command !== `"SET" "key" "${count}"`) expect(command).toBe(`"SET" "key" "${count}"`);
        counts.set(address, count + 1);
      }
      expect([...counts.values()]).toEqual(clients.map(() => COMMANDS));
    }
  });

  it('knows of each command that is sent after its OK, on whichever worker', async () => {
    const clients = await open(2);
    for (let round = 0; round < 20; round += 1) {
      const [monitor] = await open(1);
      expect(await monitor.ask('MONITOR')).toBe('+OK');
      const client = clients[round % 2];
      await client.ask('ECHO', `${round}`);
      expect(await nextLine(monitor)).toEqual({ address: addressOf(client), command: `"ECHO" "${round}"` });
      monitor.close();
    }
  });

  it('is shown as one by CLIENT LIST, and no more after RESET', async () => {
    const [monitor, client] = await open(2);
    await monitor.ask('MONITOR');
    const lineOf = async () =>
      String(await client.ask('CLIENT', 'LIST'))
        .split('\n')
        .find((line) => line.includes(`addr=${addressOf(monitor)} `));
    expect(await lineOf()).toMatch(/ flags=O .* cmd=monitor /);
    expect(await monitor.ask('GET', 'a')).toBe("-ERR Replica can't interact with the keyspace");
    expect(await monitor.ask('RESET')).toBe('+RESET');
    expect(await lineOf()).toMatch(/ flags=N .* cmd=reset /);
    await client.ask('PING');
    expect(await monitor.ask('PING')).toBe('+PONG');
  });

  it('is told of what is done over HTTP', async () => {
    const [monitor] = await open(1);
    await monitor.ask('MONITOR');
    await fetch(`http://127.0.0.1:${server.httpPort}/v1/keys/over-http`, { method: 'PUT', body: 'value' });
    expect((await nextLine(monitor)).command).toBe('"set" "over-http" "value"');
  });
});

it('a monitor may be idle for as long as it likes', async () => {
  const [monitor, idle, control] = await open(3);
  await monitor.ask('MONITOR');
  await control.ask('CONFIG', 'SET', 'timeout', '1');
  await eventually(async () => {
    await control.ask('PING');
    return idle.socket.destroyed;
  });
  await control.ask('CONFIG', 'SET', 'timeout', '0');
  expect(monitor.socket.destroyed).toBe(false);
  expect((await nextLine(monitor)).command).toBe('"PING"');
});

describe('a monitor that does not read', () => {
  it.each([
    ['of the worker of a busy client', 0],
    ['of another worker', 1],
  ])('%s is closed at its limit; nobody waits for it, and memory stays bounded', async (_, clientAt) => {
    const wires = await openOnEach(2);
    const [monitor, control] = wires[0];
    const client = wires[clientAt][1];
    await control.ask('CONFIG', 'SET', 'client-output-buffer-limit', 'normal 4mb 0 0');
    await monitor.ask('MONITOR');
    monitor.socket.pause();
    const cutsBefore = await metricTotal(server.httpPort, 'distcache_limit_cuts_total');
    const residentBefore = residentBytes(server.pid);
    const value = 'v'.repeat(100_000);
    let peakBytes = 0;
    await eventually(async () => {
      for (let i = 0; i < 20; i += 1) expect(await client.ask('SET', 'key', value)).toBe('+OK');
      peakBytes = Math.max(peakBytes, residentBytes(server.pid));
      return (await metricTotal(server.httpPort, 'distcache_limit_cuts_total')) === cutsBefore + 1;
    });
    expect(peakBytes - residentBefore).toBeLessThan(150 * MIB);
    monitor.socket.resume();
    await monitor.closed;
    await control.ask('CONFIG', 'SET', 'client-output-buffer-limit', 'normal 1gb 256mb 60');
  });
});

describe('a worker that dies', () => {
  it('takes its monitors along, the others go on; its replacement tells those that are left', async () => {
    const wires = await openOnEach(2);
    const [[dies, victim], [watches, survivor]] = wires;
    expect(await dies.ask('MONITOR')).toBe('+OK');
    expect(await watches.ask('MONITOR')).toBe('+OK');
    victim.socket.write('DEBUG WORKER-EXIT\r\n');
    await Promise.all([dies.closed, victim.closed]);
    await survivor.ask('ECHO', 'survivor');
    expect(await nextLine(watches)).toEqual({ address: addressOf(survivor), command: '"ECHO" "survivor"' });
    // The next go to the replacement, which serves nobody yet.
    await server.logged('serves again');
    const back = await open(2);
    for (const wire of back) {
      expect((await nextLine(watches)).command).toBe('"PING"');
      await wire.ask('ECHO', 'back');
    }
    const lines = [await nextLine(watches), await nextLine(watches)];
    expect(lines.map(({ address }) => address).sort()).toEqual(back.map(addressOf).sort());
    expect(lines.map(({ command }) => command)).toEqual(['"ECHO" "back"', '"ECHO" "back"']);
  });
});
