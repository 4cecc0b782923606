/** HyperLogLogs against redis-server: replies, and after every step the bytes of the strings that they are. */
import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createHarness } from '../support/harness.ts';
import { elementFor } from '../support/hyperloglog-elements.ts';
import { askRedis } from '../support/redis-replies.ts';
import { describeWithRedis, type RedisServer, startRedisServer } from '../support/redis-server.ts';

type Command = (string | Buffer)[];

const SPARSE_BYTES_MAX = ['3000', '0', '60', '100000'];
const KEYS = ['a', 'b', 'c', 'd'];
const PROGRAM_COMMANDS = 60;
const PROGRAMS = 20;

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedisServer(['--enable-debug-command', 'yes']);
});
afterAll(() => redis.stop());

async function expectSameReplies(
  commands: readonly Command[],
  protocol: 2 | 3 = 2,
  sparseBytesMax = '3000',
): Promise<void> {
  const hello: Command[] = [
    ['FLUSHALL'],
    ['CONFIG', 'SET', 'hll-sparse-max-bytes', sparseBytesMax],
    ['HELLO', String(protocol)],
  ];
  const harness = createHarness({ flags: ['--hll-sparse-max-bytes', sparseBytesMax] });
  harness.session.protocol = protocol;
  const theirs = (await askRedis(redis.port, [...hello, ...commands])).slice(hello.length);
  for (const [index, one] of commands.entries()) {
    const ours = harness.run(...one);
    if (ours === theirs[index]) continue;
    expect({ index, command: one.map(String), reply: ours }).toEqual({
      index,
      command: one.map(String),
      reply: theirs[index],
    });
  }
  harness.expectWhole();
}

/** Each command with a look at all strings behind it. */
function watched(commands: readonly Command[]): Command[] {
  return commands.flatMap((one) => [one, ['MGET', ...KEYS]]);
}

function elements(count: number, prefix: string): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${i}`);
}

describeWithRedis('HyperLogLogs are those of redis-server', () => {
  it.each(SPARSE_BYTES_MAX)('while they grow, with hll-sparse-max-bytes %s', async (sparseBytesMax) => {
    const commands: Command[] = [];
    for (let step = 0; step < 160; step += 1) {
      commands.push(['PFADD', 'a', ...elements(1 + (step % 5), `${step}:`)], ['GET', 'a']);
      commands.push(['PFADD', 'b', ...elements(step, `b${step >> 2}:`)], ['PFCOUNT', 'b'], ['GET', 'b']);
      if (step % 7 === 0) commands.push(['PFCOUNT', 'a'], ['PFCOUNT', 'a', 'b', 'none'], ['GET', 'a']);
      if (step % 50 === 0) commands.push(['PFMERGE', 'c', 'a', 'b'], ['GET', 'c'], ['PFCOUNT', 'c']);
    }
    await expectSameReplies(commands, 2, sparseBytesMax);
  });

  it('for elements of every length, with every byte', async () => {
    const commands: Command[] = [['PFADD', 'a']];
    for (let length = 0; length < 40; length += 1) {
      for (const byte of [0, 1, 127, 128, 255]) commands.push(['PFADD', 'a', Buffer.alloc(length, byte)]);
      const bytes = Buffer.from(Array.from({ length }, (_, i) => (i * 89 + length * 7) & 0xff));
      commands.push(['PFADD', 'a', bytes], ['GET', 'a']);
    }
    commands.push(['PFADD', 'a', Buffer.alloc(100_000, 77)], ['GET', 'a'], ['PFCOUNT', 'a']);
    await expectSameReplies(commands);
  });

  it.each([1, 2, 5, 31, 32, 33, 34, 45, 50, 51])(
    'when a register gets the value %i, at the ends and in the middle',
    async (value) => {
      const commands: Command[] = [];
      for (const register of [0, 1, 63, 64, 65, 8191, 16_318, 16_319, 16_382, 16_383]) {
        commands.push(['PFADD', 'a', elementFor(register, value)], ['GET', 'a'], ['PFCOUNT', 'a']);
        commands.push(['PFADD', 'a', elementFor(register, value)], ['PFADD', 'a', elementFor(register, 1)]);
        commands.push(['PFADD', `b${register}`, elementFor(register, value)], ['GET', `b${register}`]);
        commands.push(['PFDEBUG', 'ENCODING', `b${register}`], ['PFDEBUG', 'DECODE', `b${register}`]);
      }
      commands.push(['PFMERGE', 'c', 'a'], ['GET', 'c'], ['PFDEBUG', 'GETREG', 'c'], ['GET', 'c']);
      await expectSameReplies(commands);
    },
  );

  it('for every order of four neighbours with two values, before and behind and between others', async () => {
    const commands: Command[] = [];
    const pairs = [0, 1, 2, 3].flatMap((first) => [0, 1, 2, 3].map((second) => [first, second]));
    for (const [first, second] of pairs) {
      for (const [third, fourth] of pairs) {
        for (const value of [1, 2]) {
          commands.push(['DEL', 'a'], ['PFADD', 'a', elementFor(99, 2), elementFor(104, 2)]);
          for (const [index, register] of [first, second, third, fourth].entries()) {
            commands.push(['PFADD', 'a', elementFor(100 + register, index % 2 === 0 ? value : 2)]);
          }
          commands.push(['PFADD', 'a', elementFor(100 + first, 3)], ['GET', 'a'], ['PFDEBUG', 'DECODE', 'a']);
        }
      }
    }
    await expectSameReplies(commands);
  });

  it('when they are counted full, or nearly', async () => {
    const commands: Command[] = [];
    for (const value of [1, 20, 50, 51]) {
      const all = Array.from({ length: 16_384 }, (_, register) => elementFor(register, value));
      commands.push(['PFADD', 'a', ...all.slice(1)], ['PFCOUNT', 'a'], ['GETRANGE', 'a', '0', '15']);
      commands.push(['PFCOUNT', 'a'], ['PFADD', 'a', all[0]], ['PFCOUNT', 'a'], ['GETRANGE', 'a', '0', '15']);
      commands.push(['PFCOUNT', 'a'], ['PFCOUNT', 'a', 'none'], ['PFMERGE', 'b', 'a'], ['PFCOUNT', 'b']);
    }
    await expectSameReplies(commands);
  });

  it('when they are counted with some registers full', async () => {
    const commands: Command[] = [];
    for (const value of [49, 46, 45, 40, 20, 2]) {
      for (const full of [1, 3000, 8192, 16_000]) {
        const all = Array.from({ length: 16_384 }, (_, at) => elementFor(at, at < full ? 51 : value));
        commands.push(['DEL', 'a'], ['PFADD', 'a', ...all], ['PFCOUNT', 'a'], ['PFCOUNT', 'a', 'none']);
        commands.push(['GETRANGE', 'a', '0', '15'], ['PFCOUNT', 'a']);
      }
    }
    await expectSameReplies(commands);
  });

  it('when they are damaged in any one byte, or are too long or too short', async () => {
    const commands: Command[] = [];
    for (const count of [0, 3, 30]) {
      const length = count === 0 ? 18 : count === 3 ? 25 : 100;
      for (let at = 0; at < length; at += 1) {
        for (const byte of ['\0', '\x3f', '\x7f', '\x80', '\xff', 'x']) {
          commands.push(['DEL', 'a', 'b'], ['PFADD', 'a', ...elements(count, 'e')]);
          commands.push(['SETRANGE', 'a', `${at}`, Buffer.from(byte, 'latin1')]);
          commands.push(['PFCOUNT', 'a'], ['PFCOUNT', 'a', 'none'], ['PFMERGE', 'b', 'a'], ['GET', 'b']);
          commands.push(['PFADD', 'a'], ['PFADD', 'a', 'new'], ['PFADD', 'a', 'e1', 'e2']);
          commands.push(['GET', 'a'], ['PFDEBUG', 'DECODE', 'a'], ['PFDEBUG', 'TODENSE', 'a'], ['GET', 'a']);
        }
      }
    }
    for (const tail of ['\0', '\x40', 'hello', '\x80', '\x7f\xff']) {
      commands.push(['DEL', 'a'], ['PFADD', 'a', 'x'], ['APPEND', 'a', Buffer.from(tail, 'latin1')]);
      commands.push(['PFCOUNT', 'a'], ['PFADD', 'a', 'y'], ['GET', 'a'], ['PFMERGE', 'b', 'a']);
      commands.push(
        ['PFDEBUG', 'TODENSE', 'a'],
        ['PFDEBUG', 'GETREG', 'a'],
        ['PFADD', 'a', elementFor(0, 40)],
      );
    }
    await expectSameReplies(commands);
  });

  it('when they are no strings, no HyperLogLogs, or not there', async () => {
    const commands: Command[] = [];
    const values = ['', 'x', '12', 'HYLL', `HYLL\x01${'\0'.repeat(10)}`, `HYLL\x01${'\0'.repeat(11)}`];
    for (const value of [
      ...values,
      `HYLL${'\0'.repeat(12)}`,
      `HYLL\x02${'\0'.repeat(30)}`,
      'hyll\x01'.repeat(9),
    ]) {
      commands.push(['SET', 'a', Buffer.from(value, 'latin1')], ['PFADD', 'b', 'x']);
      for (const one of [
        ['PFADD', 'a'],
        ['PFADD', 'a', 'x'],
        ['PFCOUNT', 'a'],
        ['PFCOUNT', 'b', 'a'],
      ])
        commands.push(one, ['GET', 'a']);
      commands.push(['PFMERGE', 'a', 'b'], ['PFMERGE', 'b', 'a'], ['PFMERGE', 'c', 'b', 'a'], ['GET', 'c']);
      for (const name of ['GETREG', 'decode', 'Encoding', 'TODENSE', 'nosuch', ''])
        commands.push(['PFDEBUG', name, 'a'], ['PFDEBUG', name, 'b'], ['PFDEBUG', name, 'none']);
      commands.push(['PFMERGE', 'none'], ['DEL', 'a', 'b', 'c', 'none']);
    }
    commands.push(
      ['PFADD'],
      ['PFCOUNT'],
      ['PFMERGE'],
      ['PFDEBUG'],
      ['PFDEBUG', 'GETREG'],
      ['PFSELFTEST', 'x'],
    );
    commands.push(
      ['PFDEBUG', 'GETREG', 'a', 'b'],
      ['PFCOUNT', 'x', 'y'],
      ['PFMERGE', 'c', 'x'],
      ['GET', 'c'],
    );
    await expectSameReplies(commands, 3);
  });

  it.each(SPARSE_BYTES_MAX)('after random programs, with hll-sparse-max-bytes %s', async (sparseBytesMax) => {
    const program = fc.array(command, { minLength: 1, maxLength: PROGRAM_COMMANDS });
    await fc.assert(
      fc.asyncProperty(program, (commands) => expectSameReplies(watched(commands), 2, sparseBytesMax)),
      { numRuns: PROGRAMS, endOnFailure: true },
    );
  });
});

const key = fc.constantFrom(...KEYS);
const element = fc.oneof(
  { weight: 3, arbitrary: fc.nat(5000).map(String) },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.nat(40), fc.integer({ min: 1, max: 34 })).map((pair) => elementFor(...pair)),
  },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes)) },
);
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .tuple(key, fc.array(element, { maxLength: 30 }))
      .map(([name, list]): Command => ['PFADD', name, ...list]),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(key, fc.nat(1000), fc.integer({ min: 1, max: 1500 }))
      .map(([name, from, count]): Command => ['PFADD', name, ...elements(count, `${from}:`)]),
  },
  { weight: 3, arbitrary: fc.array(key, { minLength: 1, maxLength: 3 }).map((list) => ['PFCOUNT', ...list]) },
  { weight: 2, arbitrary: fc.array(key, { minLength: 1, maxLength: 4 }).map((list) => ['PFMERGE', ...list]) },
  { weight: 1, arbitrary: key.map((name) => ['PFDEBUG', 'TODENSE', name]) },
  { weight: 1, arbitrary: key.map((name) => ['DEL', name]) },
  { weight: 1, arbitrary: fc.tuple(key, key).map(([from, to]) => ['COPY', from, to, 'REPLACE']) },
);
