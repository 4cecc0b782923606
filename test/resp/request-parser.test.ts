/**
 * The request parser alone, in every way that bytes can arrive, and against redis-server's replies to the same bytes.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createRequest,
  INCOMPLETE,
  parseRequest,
  protocolErrorText,
  type RequestBounds,
  rebaseRequest,
  requestBytesMissing,
  resetRequest,
} from '../../src/resp/request-parser.ts';
import { exchangeBytes } from '../support/redis-exchange.ts';
import { describeWithRedis, type RedisServer, startRedisServer } from '../support/redis-server.ts';
import { requestBytes } from '../support/request-bytes.ts';

const LIMIT = 64 * 1024;
const BOUNDS: RequestBounds = { bulkBytesMax: 512 << 20, argumentsMax: 2 ** 31 - 1, authenticated: true };
const UNAUTHENTICATED: RequestBounds = { ...BOUNDS, authenticated: false };

/** What a stream means: each request's arguments, and what ends it. */
type Parsed = { requests: string[][]; ending: string; position: number };

/** Feeds a stream in chunks. With `moving`, consumed bytes are dropped before each chunk, as a connection may do. */
function feed(chunks: readonly Uint8Array[], bounds = BOUNDS, moving = false): Parsed {
  const request = createRequest();
  const requests: string[][] = [];
  let buffer = Buffer.alloc(0);
  let start = 0;
  let dropped = 0;
  for (const chunk of chunks) {
    if (moving) {
      // Room in front, so that the bytes move to the right and to the left.
      const shift = dropped % 2 === 0 ? 3 : 0;
      buffer = Buffer.concat([Buffer.alloc(shift, '*'), buffer.subarray(start), chunk]);
      rebaseRequest(request, shift - start);
      dropped += start - shift;
      start = shift;
    } else {
      buffer = Buffer.concat([buffer, chunk]);
    }
    for (;;) {
      const position = parseRequest(request, buffer, start, buffer.length, bounds);
      if (position === INCOMPLETE) break;
      if (position < 0) {
        return { requests, ending: protocolErrorText(position, request), position: start + dropped };
      }
      expect(position).toBeGreaterThan(start);
      start = position;
      if (request.count > 0) requests.push(argumentsOf(request, buffer));
    }
  }
  return { requests, ending: '', position: start + dropped };
}

function argumentsOf(request: ReturnType<typeof createRequest>, buffer: Buffer): string[] {
  return Array.from({ length: request.count }, (_, i) =>
    buffer.toString('latin1', request.spans[2 * i], request.spans[2 * i + 1]),
  );
}

function feedText(text: string, bounds = BOUNDS): Parsed {
  return feed([Buffer.from(text, 'latin1')], bounds);
}

const STREAMS = [
  '*1\r\n$4\r\nPING\r\n',
  '*2\r\n$3\r\nGET\r\n$16\r\nkey:000000012345\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n',
  'PING\r\nPING\n\r\n\n  \r\nSET k "a \\"b\\" \\x00\\xFf\\n" \'it\\\'s\'\r\n*1\r\n$4\r\nPING\r\n',
  '*0\r\n*-1\r\nPING\r\n*-5\r\n',
  `*12\r\n${'$10\r\n0123456789\r\n'.repeat(12)}*1\r\n$12\r\n\0\r\n\xff*$:abcd\r\n`,
  '*1\rX$4\rYPINGab*1\r\n$4\r\nPING\r\n',
  '*2\r\n$4\r\nECHO\r\n$01\r\na\r\n',
  '*2\r\n$4\r\nECHO\r\n:1\r\na\r\n',
  '*2\r\n$4\r\nECHO\r\n$-1\r\n',
  'GET "a"b\r\nPING\r\n',
  '*a\r\n',
];

describe('parsing requests', () => {
  it('gives the arguments of arrays and of inline commands as spans', () => {
    expect(feedText('*2\r\n$3\r\nGET\r\n$3\r\na\0b\r\n').requests).toEqual([['GET', 'a\0b']]);
    expect(feedText('  get\tkey  \r\n').requests).toEqual([['get', 'key']]);
  });

  it('takes an empty array, a null array and an empty line as requests without arguments', () => {
    for (const text of ['*0\r\n', '*-1\r\n', '*-9223372036854775808\r\n', '\r\n', '\n', ' \t\v\f\r\n']) {
      expect(feedText(text)).toEqual({ requests: [], ending: '', position: text.length });
    }
  });

  it('parses the same, whatever byte a stream is split at', () => {
    for (const stream of STREAMS) {
      const bytes = Buffer.from(stream, 'latin1');
      const whole = feed([bytes]);
      for (let split = 0; split <= bytes.length; split += 1) {
        const chunks = [bytes.subarray(0, split), bytes.subarray(split)];
        expect(feed(chunks), `${JSON.stringify(stream)} split at ${split}`).toEqual(whole);
        expect(feed(chunks, BOUNDS, true), `${JSON.stringify(stream)} split at ${split}, moved`).toEqual(
          whole,
        );
      }
      const singles = Array.from(bytes, (_, i) => bytes.subarray(i, i + 1));
      expect(feed(singles)).toEqual(whole);
      expect(feed(singles, BOUNDS, true)).toEqual(whole);
    }
  });

  it('gives back any arguments, in any pieces', () => {
    const anyArguments = fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: 1, maxLength: 90 });
    const anyCuts = fc.array(fc.nat(4000), { maxLength: 12 });
    fc.assert(
      fc.property(
        fc.array(anyArguments, { minLength: 1, maxLength: 5 }),
        anyCuts,
        fc.boolean(),
        (sent, cuts, moving) => {
          const stream = Buffer.concat(sent.map((row) => requestBytes(...row)));
          const edges = [
            0,
            ...cuts.map((cut) => cut % (stream.length + 1)).sort((a, b) => a - b),
            stream.length,
          ];
          const chunks = edges.slice(1).map((edge, i) => stream.subarray(edges[i], edge));
          const parsed = feed(chunks, BOUNDS, moving);
          expect(parsed.requests).toEqual(
            sent.map((row) => row.map((bytes) => Buffer.from(bytes).toString('latin1'))),
          );
          expect(parsed.position).toBe(stream.length);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('reads no byte more than a few times when a stream comes one byte at a time', () => {
    const streams = [
      `*300\r\n${'$3\r\nabc\r\n'.repeat(300)}`,
      `*${'1'.repeat(3000)}`,
      `*1\r\n$${'1'.repeat(3000)}`,
      `PING ${'x'.repeat(3000)}`,
      `\0${'x'.repeat(3000)}`,
      `*2\r\n$4\r\nECHO\r\n$3000\r\n${'x'.repeat(3000)}\r\n`,
    ];
    for (const stream of streams) {
      let reads = 0;
      const counted = new Proxy(Buffer.from(stream, 'latin1'), {
        get: (target, name) => {
          reads += 1;
          return Reflect.get(target, name);
        },
      });
      const request = createRequest();
      for (let end = 1; end <= stream.length; end += 1) parseRequest(request, counted, 0, end, BOUNDS);
      // A length line is retried from its first byte until it is whole: a dozen bytes at most.
      expect(reads, stream.slice(0, 20)).toBeLessThan(20 * stream.length);
    }
  });

  it('grows its spans for a long request and gives them back when it is reset', () => {
    const request = createRequest();
    const stream = Buffer.from(`*100000\r\n${'$1\r\na\r\n'.repeat(100_000)}`);
    expect(parseRequest(request, stream, 0, stream.length, BOUNDS)).toBe(stream.length);
    expect(request.count).toBe(100_000);
    expect(new Set(argumentsOf(request, stream))).toEqual(new Set(['a']));
    resetRequest(request);
    expect(request.count).toBe(0);
    expect(request.spans.length).toBe(128);
    expect(feedText('a '.repeat(1000).concat('\n')).requests).toEqual([Array(1000).fill('a')]);
  });

  it('tells how many bytes the argument being read still needs', () => {
    const request = createRequest();
    const stream = Buffer.from('*2\r\n$3\r\nGET\r\n$100\r\nabc');
    expect(requestBytesMissing(request, 0)).toBe(0);
    expect(parseRequest(request, stream, 0, 6, BOUNDS)).toBe(INCOMPLETE);
    expect(requestBytesMissing(request, 6)).toBe(0);
    expect(parseRequest(request, stream, 0, stream.length, BOUNDS)).toBe(INCOMPLETE);
    expect(requestBytesMissing(request, stream.length)).toBe(99);
    expect(requestBytesMissing(request, stream.length + 200)).toBe(0);
  });

  it('begins anew after a reset in the middle of a request', () => {
    const request = createRequest();
    for (const partial of ['*2\r\n$3\r\nGET\r\n$100\r\nabc', '*22', 'PING', '*1\r\n$55']) {
      const bytes = Buffer.from(partial);
      expect(parseRequest(request, bytes, 0, bytes.length, BOUNDS)).toBe(INCOMPLETE);
      resetRequest(request);
      const next = requestBytes('PING');
      expect(parseRequest(request, next, 0, next.length, BOUNDS)).toBe(next.length);
      expect(argumentsOf(request, next)).toEqual(['PING']);
    }
  });

  it('begins anew in a buffer of its own after a request that came in pieces', () => {
    const request = createRequest();
    const first = Buffer.from(`${' '.repeat(100)}*1\r\n$4\r\nPING\r\n`);
    for (const end of [102, 106, first.length]) parseRequest(request, first, 100, end, BOUNDS);
    expect(request.count).toBe(1);
    const second = requestBytes(...Array(11).fill('a'));
    expect(parseRequest(request, second, 0, second.length, BOUNDS)).toBe(second.length);
    expect(request.count).toBe(11);
  });

  it('needs nothing from bytes outside of its range', () => {
    const stream = Buffer.from('*1\r\n$4\r\nPING\r\n');
    for (let end = 0; end < stream.length; end += 1) {
      expect(parseRequest(createRequest(), stream, 0, end, BOUNDS), `${end}`).toBe(INCOMPLETE);
    }
  });
});

describe('refusing requests', () => {
  it('holds a request to the bounds it is given', () => {
    const bounds = { bulkBytesMax: 1000, argumentsMax: 20, authenticated: true };
    expect(feedText('*20\r\n', bounds).ending).toBe('');
    expect(feedText('*21\r\n', bounds).ending).toBe('Protocol error: invalid multibulk length');
    expect(feedText('*1\r\n$1000\r\n', bounds).ending).toBe('');
    expect(feedText('*1\r\n$1001\r\n', bounds).ending).toBe('Protocol error: invalid bulk length');
    expect(feedText('*1\r\n$1001\r\n', { ...bounds, authenticated: false }).ending).toBe(
      'Protocol error: invalid bulk length',
    );
  });

  it('waits for a line of 64 KiB and refuses a longer one without an end', () => {
    const lines: [string, string][] = [
      ['', 'Protocol error: too big inline request'],
      ['*', 'Protocol error: too big mbulk count string'],
      ['*1\r\n$', 'Protocol error: too big bulk count string'],
    ];
    for (const [head, error] of lines) {
      const filled = head + '1'.repeat(LIMIT - (head.length - head.lastIndexOf('\n') - 1));
      expect(feedText(filled).ending).toBe('');
      expect(feedText(`${filled}1`).ending).toBe(error);
    }
  });

  it('never finds the end of a line behind a NUL', () => {
    for (const head of ['P\0ING', '*\x001', '*1\r\n$\x004']) {
      expect(feedText(`${head}\r\nPING\r\n`)).toMatchObject({ requests: [], ending: '' });
      expect(feedText(`${head}\r\n`.padEnd(LIMIT + 10, 'x')).ending).toContain('too big');
    }
  });
});

/** What redis-server answers to the commands that these tests use. */
function answer(request: string[], bounds: RequestBounds): string {
  const [name, ...rest] = request;
  const bulk = (text: string) => `$${text.length}\r\n${text}\r\n`;
  if (!/^(ping|echo|eval)$/i.test(name)) {
    const shown = rest.map((text) => `'${text}' `).join('');
    const error = `-ERR unknown command '${name}', with args beginning with: ${shown}`;
    return `${error.replace(/[\r\n]/g, ' ')}\r\n`;
  }
  if (!bounds.authenticated) return '-NOAUTH Authentication required.\r\n';
  if (name === 'eval') return `*${rest.length - 2}\r\n${rest.slice(2).map(bulk).join('')}`;
  return rest.length === 0 ? '+PONG\r\n' : bulk(rest[0]);
}

function expectedReplies(stream: Buffer, bounds: RequestBounds): string {
  const { requests, ending } = feed([Buffer.from(stream)], bounds);
  const replies = requests.map((request) => answer(request, bounds)).join('');
  return ending === '' ? replies : `${replies}-ERR ${ending.replace(/[\r\n]/g, ' ')}\r\n`;
}

const COUNTS = [
  '',
  '0',
  '00',
  '-0',
  '-1',
  '-01',
  '+1',
  '01',
  ' 1',
  '1 ',
  '1',
  '1x',
  'x',
  '1.0',
  '0x1',
  '-',
  '--1',
  '2147483647',
  '2147483648',
  '4294967297',
  '9223372036854775807',
  '9223372036854775808',
  '-9223372036854775808',
  '-9223372036854775809',
  '99999999999999999999',
  '100000000000000000000',
  '-2147483649',
  '11',
  '10',
  '1\n',
  '\n1',
];

const LENGTHS = [
  '4',
  '04',
  '+4',
  ' 4',
  '4 ',
  '-1',
  '-0',
  '',
  'x',
  '4x',
  '0',
  '00',
  '536870912',
  '536870913',
  '2147483648',
  '9223372036854775807',
  '9223372036854775808',
  '99999999999999999999999',
  '16384',
  '16385',
  '-4',
  '$4',
  '4\n',
  '7',
  '3',
];

describeWithRedis('the same bytes sent to redis-server', () => {
  let open: RedisServer;
  let locked: RedisServer;
  beforeAll(async () => {
    [open, locked] = await Promise.all([startRedisServer(), startRedisServer(['--requirepass', 'secret'])]);
  });
  afterAll(async () => {
    await Promise.all([open.stop(), locked.stop()]);
  });

  async function compare(texts: readonly string[], bounds = BOUNDS): Promise<void> {
    const server = bounds.authenticated ? open : locked;
    for (let i = 0; i < texts.length; i += 50) {
      await Promise.all(
        texts.slice(i, i + 50).map(async (text) => {
          const stream = Buffer.from(text, 'latin1');
          const replies = await exchangeBytes(server.port, stream);
          expect(replies.toString('latin1'), JSON.stringify(text.slice(0, 200))).toBe(
            expectedReplies(stream, bounds),
          );
        }),
      );
    }
  }

  it('have the same replies and the same errors for every count', async () => {
    for (const bounds of [BOUNDS, UNAUTHENTICATED]) {
      await compare(
        COUNTS.map((count) => `*${count}\r\n$4\r\nPING\r\n`),
        bounds,
      );
      await compare(
        COUNTS.map((count) => `PING\r\n*${count}\rX`),
        bounds,
      );
    }
  });

  it('have the same replies and the same errors for every length', async () => {
    for (const bounds of [BOUNDS, UNAUTHENTICATED]) {
      await compare(
        LENGTHS.map((length) => `*1\r\n$${length}\r\nPING\r\nPING\r\n`),
        bounds,
      );
      await compare(
        LENGTHS.map((length) => `*2\r\n$4\r\nECHO\r\n$${length}\r\nabcd\r\n`),
        bounds,
      );
    }
  });

  it('have the same error for every byte in the place of a dollar sign', async () => {
    const bytes = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte));
    await compare(bytes.map((byte) => `*1\r\n${byte}4\r\nPING\r\n`));
  });

  it('have the same replies when CR, LF or the bytes behind an argument are others', async () => {
    await compare([
      '*1\rX$4\rYPINGabPING\r\n',
      '*1\n$4\nPING\n',
      '*1\r\n$4\r\nPINGxy*1\r\n$4\r\nPING\r\n',
      '*1\r\n$4\r\nPING\n\nPING\n',
      '*1\r\n\r\n$4\r\nPING\r\n',
      '*\r\n',
      '*1\r\n\rX',
      '\rPING\r\n',
      'PING\rPING\r\n',
      'PING\r\r\n',
      '\r\r\n\nPING\n',
    ]);
    await compare([
      ...STREAMS.filter((stream) => !/GET|SET|012345|\*12/.test(stream)),
      '*',
      '*1',
      '*1\r',
      'PING',
      '',
    ]);
  });

  it('have the same error for lines that do not end', async () => {
    const long = '1'.repeat(LIMIT + 1);
    await compare([long, `*${long}`, `*1\r\n$${long}`, `*1\r\nx${long}`, `\0${long}\r\n`, `*1\0${long}\r\n`]);
    await compare([`${'1'.repeat(LIMIT)}`, `*${'1'.repeat(LIMIT - 1)}`]);
  });

  it('have the same arguments for every inline command of four of the bytes that matter', async () => {
    const alphabet = ['"', "'", '\\', ' ', 'x', 'a', '\v', '\r'];
    const texts: string[] = [];
    for (const a of alphabet) {
      for (const b of alphabet) {
        for (const c of alphabet)
          for (const d of alphabet) texts.push(`eval "return ARGV" 0 ${a}${b}${c}${d}\n`);
      }
    }
    // Several to a connection as long as none of them ends it.
    const [endless, ending] = [
      texts.filter((text) => feedText(text).ending === ''),
      texts.filter((text) => feedText(text).ending !== ''),
    ];
    await compare([endless.join(''), ...ending.filter((_, i) => i % 7 === 0)]);
    expect(new Set(ending.map((text) => feedText(text).ending))).toEqual(
      new Set(['Protocol error: unbalanced quotes in request']),
    );
  });

  it('have the same arguments for escapes of every byte in both kinds of quotes', async () => {
    const texts: string[] = [];
    for (let byte = 1; byte < 256; byte += 1) {
      const char = String.fromCharCode(byte);
      if (char === '\n') continue;
      texts.push(`eval "return ARGV" 0 "a\\${char}" b"\n`, `eval "return ARGV" 0 'a\\${char}' b'\n`);
      texts.push(`eval "return ARGV" 0 "\\x4${char}" "\\x${char}4" "\\X41" z${char}z "${char}" '\\x41'\n`);
    }
    texts.push('eval "return ARGV" 0 "" \'\' a"b c" a\'b c\' "\\x00" "\\x" "\\x4" "\\xfF"\r\n');
    await compare(texts);
  });

  it('have the same arguments for random inline commands', async () => {
    const word = fc.string({ unit: fc.constantFrom(...'"\'\\ xna04fF\t\v\xe9\r'), maxLength: 12 });
    const texts = fc.sample(word, { numRuns: 400, seed: 7 }).map((text) => `eval "return ARGV" 0 ${text}\n`);
    await compare(texts);
  });
});
