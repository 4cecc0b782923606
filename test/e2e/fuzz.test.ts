/** The protocol fuzzer's short mode: a real server, two seeds, nothing found. The long mode is `npm run fuzz`. */
import { describe, expect, it } from 'vitest';
import { createReplyStream, takeBytes } from '../support/fuzz/reply-stream.ts';
import { drawBytes } from '../support/fuzz/requests.ts';
import { fuzzServer } from '../support/fuzz/server.ts';
import { createRandom } from '../support/seeded-random.ts';

describe('a server that is sent anything', () => {
  it.each([20_261_122, 7])(
    'answers in RESP, serves others, and stops well (seed %i)',
    async (seed) => {
      const report = await fuzzServer({ seed, connections: 16, conversations: 12 });
      expect(report.findings).toEqual([]);
      expect(report.replies).toBeGreaterThan(20);
      expect(report.pings).toBeGreaterThan(2);
    },
    60_000,
  );
});

describe('the judge of replies', () => {
  const judge = (text: string, step = text.length) => {
    const stream = createReplyStream();
    const bytes = Buffer.from(text, 'latin1');
    for (let at = 0; at < bytes.length; at += step) takeBytes(stream, bytes.subarray(at, at + step));
    return stream.count;
  };
  const WHOLE =
    '+OK\r\n-ERR no\r\n:-5\r\n$-1\r\n$0\r\n\r\n$4\r\na\r\nb\r\n*0\r\n*-1\r\n*2\r\n*1\r\n:1\r\n$1\r\nx\r\n%1\r\n+k\r\n_\r\n~1\r\n#t\r\n>2\r\n,1.5\r\n,inf\r\n(12\r\n=5\r\ntxt:x\r\n';

  it('counts replies, however they are cut', () => {
    for (let step = 1; step <= WHOLE.length; step += 1) expect(judge(WHOLE, step)).toBe(14);
  });

  it.each([
    'OK\r\n',
    ':x\r\n',
    '$-2\r\n',
    '$3\r\nabcd\r\n',
    '*1\r\n?\r\n',
    '#x\r\n',
    '+OK\n',
    '%-1\r\n',
    ':01\r\n',
  ])('finds fault with %j', (text) => {
    expect(() => judge(text)).toThrow();
  });
});

it('the same seed draws the same bytes', () => {
  const once = drawBytes(createRandom(3));
  expect(drawBytes(createRandom(3))).toEqual(once);
  expect(drawBytes(createRandom(4))).not.toEqual(once);
});
