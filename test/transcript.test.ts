/** The format of golden transcripts: what it reads, what it refuses, and that no change of a counter escapes it. */
import { describe, expect, it } from 'vitest';
import { type Counts, countsOf, createStage, parseTranscript, wrongChanges } from './support/transcript.ts';

const ONE_BLOCK = `! --maxkeys 4 --requirepass "a b"
# a comment
=== a title
>>> SET "a b" "\\x00\\r\\n\\"" c
b>>= PING\\r\\n
<<< +OK
b<<< /\\+P.NG/
b---
+++ keyspace_hits_total 1
+++ shard_keys -2
`;

function countsFrom(values: Readonly<Record<string, number>>, gauges: readonly string[] = []): Counts {
  return new Map(
    Object.entries({ commands_total: 0, ...values }).map(([name, value]) => [
      name,
      { value, isCounter: !gauges.includes(name) },
    ]),
  );
}

/** What is wrong when a block that sends GET, with these lines, leaves these counters, which were zero. */
function wrongIn(lines: string, values: Readonly<Record<string, number>>, gauges: readonly string[] = []) {
  const called = '+++ command_calls_total{command="get"} 1';
  const [{ blocks }] = parseTranscript(`=== one\n>>> GET a\n${called}\n${lines}\n`).cases;
  const stage = Object.assign(createStage(0), { sent: 20, received: 5 });
  const after = {
    received_bytes_total: 20,
    sent_bytes_total: 5,
    commands_total: 1,
    'command_calls_total{command="get"}': 1,
    ...values,
  };
  const zero = Object.fromEntries(Object.keys(after).map((name) => [name, 0]));
  return wrongChanges(blocks[0], stage, countsFrom(zero, gauges), countsFrom(after, gauges));
}

describe('a transcript', () => {
  it('has flags, cases, and blocks of what is sent, expected and changed', () => {
    const { flags, cases } = parseTranscript(ONE_BLOCK);
    expect(flags).toEqual(['--maxkeys', '4', '--requirepass', 'a b']);
    expect(cases).toHaveLength(1);
    const [{ title, blocks }] = cases;
    expect(title).toBe('a title');
    expect(blocks).toHaveLength(1);
    expect(blocks[0].steps.map(({ kind, name }) => `${name}${kind}`)).toEqual([
      ...['send', 'bsend', 'expect', 'bexpect', 'bclose'],
    ]);
    const [command, raw, literal, pattern] = blocks[0].steps;
    expect(command).toMatchObject({
      bytes: Buffer.from('*4\r\n$3\r\nSET\r\n$3\r\na b\r\n$4\r\n\0\r\n"\r\n$1\r\nc\r\n', 'latin1'),
    });
    expect(raw).toMatchObject({ bytes: Buffer.from('PING\r\n') });
    expect(literal).toMatchObject({ line: '+OK' });
    expect(pattern).toMatchObject({ line: /^\+P.NG$/ });
    expect([...blocks[0].changes]).toEqual([
      ['keyspace_hits_total', 1],
      ['shard_keys', -2],
    ]);
  });

  it('begins a new block after an empty line', () => {
    const [{ blocks }] = parseTranscript('=== one\n>>> PING\n<<< +PONG\n\n>>> PING\n<<< +PONG\n').cases;
    expect(blocks.map(({ lineNumber, steps }) => [lineNumber, steps.length])).toEqual([
      [2, 2],
      [5, 2],
    ]);
  });

  it.each([
    ['a line of no case', '>>> PING'],
    ['an unknown mark', '=== one\n>> PING'],
    ['a change without a number', '=== one\n>>> PING\n+++ commands_total one'],
    ['a flag behind the first case', '=== one\n>>> PING\n! --flag'],
  ])('with %s is refused', (_, text) => {
    expect(() => parseTranscript(text)).toThrow(/^line \d+ /);
  });
});

describe('the changes of a block', () => {
  it('are right where they are what it says, and bytes and commands what was sent', () => {
    expect(wrongIn('+++ keyspace_misses_total 1', { keyspace_misses_total: 1 })).toEqual([]);
  });

  it('are wrong where a counter that it names does not move as it says', () => {
    expect(wrongIn('+++ keyspace_misses_total 1', { keyspace_misses_total: 0 })).toEqual([
      'keyspace_misses_total changes by 0 instead of 1',
    ]);
    expect(wrongIn('+++ nosuch_total 1', {})).toEqual(['nosuch_total changes by 0 instead of 1']);
  });

  it('are wrong where a counter moves that it does not name', () => {
    expect(wrongIn('', { keyspace_hits_total: 1 })).toEqual([
      'keyspace_hits_total changes by 1 instead of 0',
    ]);
    expect(wrongIn('', { 'command_calls_total{command="set"}': 1 })).toHaveLength(1);
  });

  it.each(['received_bytes_total', 'sent_bytes_total', 'commands_total'])(
    'are wrong where %s is not what was exchanged',
    (name) => {
      expect(wrongIn('', { [name]: 19 })).toHaveLength(1);
    },
  );

  it('leave out gauges that it does not name, and what moves by itself', () => {
    const moving = { turns_total: 3, process_cpu_user_seconds_total: 0.1, command_seconds_total: 0.1 };
    expect(wrongIn('', { ...moving, shard_keys: 7 }, ['shard_keys'])).toEqual([]);
    expect(wrongIn('+++ shard_keys 7', { shard_keys: 7 }, ['shard_keys'])).toEqual([]);
  });
});

it('counts are summed over threads and shards, not over commands', () => {
  const text = [
    '# HELP distcache_commands_total Commands.',
    '# TYPE distcache_commands_total counter',
    'distcache_commands_total{worker="main"} 1',
    'distcache_commands_total{worker="0"} 2',
    '# HELP distcache_command_calls_total Calls.',
    '# TYPE distcache_command_calls_total counter',
    'distcache_command_calls_total{command="get"} 3',
    'distcache_command_calls_total{command="set"} 4',
    '# HELP other_total Not ours.',
    '# TYPE other_total counter',
    'other_total 5',
    '',
  ];
  expect([...countsOf(text.join('\n'))]).toEqual([
    ['commands_total', { value: 3, isCounter: true }],
    ['command_calls_total{command="get"}', { value: 3, isCounter: true }],
    ['command_calls_total{command="set"}', { value: 4, isCounter: true }],
  ]);
});
