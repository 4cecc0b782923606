/** The lines of MONITOR: every byte quoted as redis-server does, secrets hidden, long arguments cut. */
import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import type { Call, Command } from '../../src/commands/call.ts';
import { writeMonitorLine } from '../../src/commands/monitor-line.ts';
import { findByName } from '../../src/commands/registry.ts';
import { MONITOR_LINE_BYTES_MAX } from '../../src/config/limits.ts';
import { createReplyWriter } from '../../src/resp/reply-writer.ts';
import { createHarness } from '../support/harness.ts';

const harness = createHarness({ shards: 1 });
const MICROSECONDS = 1_700_000_000_000_042;

/** The line of a command with these arguments. */
function lineOf(name: string, args: readonly (string | Buffer)[], session = harness.session): string {
  const pieces = args.map((argument) => Buffer.from(argument as string, 'latin1'));
  const spans = new Int32Array(2 * args.length);
  let at = 0;
  for (const [index, piece] of pieces.entries()) {
    spans[2 * index] = at;
    at += piece.length;
    spans[2 * index + 1] = at;
  }
  const lines = createReplyWriter(1);
  const call: Call = {
    engine: harness.engine,
    input: Buffer.concat(pieces),
    spans,
    count: args.length,
    command: findByName(name) as Command,
    session,
    reply: lines,
    nowMs: 0,
    isDeferred: false,
    shard: harness.shards[0],
  };
  writeMonitorLine(lines, call, MICROSECONDS);
  return lines.bytes.toString('latin1', 0, lines.length);
}

/** As sdscatrepr writes it: the model. */
function quoted(byte: number): string {
  const named: Record<number, string> = { 7: 'a', 8: 'b', 9: 't', 10: 'n', 13: 'r', 34: '"', 92: '\\' };
  if (byte in named) return `\\${named[byte]}`;
  if (byte >= 32 && byte < 127) return String.fromCharCode(byte);
  return `\\x${byte.toString(16).padStart(2, '0')}`;
}

describe('a line', () => {
  it('tells the time to the microsecond, the database, the address and the arguments', () => {
    expect(lineOf('get', ['gEt', 'key'])).toBe('+1700000000.000042 [0 127.0.0.1:50000] "gEt" "key"\r\n');
    const elsewhere = Object.assign({ ...harness.session }, { database: 7 });
    expect(lineOf('ping', ['PING'], elsewhere)).toBe('+1700000000.000042 [7 127.0.0.1:50000] "PING"\r\n');
  });

  it('tells the path of a unix socket, whatever characters it has', () => {
    const local = { ...harness.session, isUnixSocket: true, address: '/tmp/ü:x.sock:0' };
    expect(Buffer.from(lineOf('ping', ['PING'], local), 'latin1').toString()).toBe(
      '+1700000000.000042 [0 unix:/tmp/ü:x.sock] "PING"\r\n',
    );
  });

  it('quotes every byte as redis-server does, alone and between others', () => {
    for (let byte = 0; byte < 256; byte += 1) {
      expect(lineOf('echo', ['ECHO', Buffer.from([byte]), Buffer.from([65, byte, 66])])).toContain(
        `"ECHO" "${quoted(byte)}" "A${quoted(byte)}B"\r\n`,
      );
    }
  });

  it('quotes an argument of many pieces as if it were one', () => {
    const bytes = Buffer.from(Array.from({ length: 100_001 }, (_, i) => (i * 7) % 256));
    const text = [...bytes].map(quoted).join('');
    expect(lineOf('echo', ['ECHO', bytes])).toBe(
      `+1700000000.000042 [0 127.0.0.1:50000] "ECHO" "${text}"\r\n`,
    );
  });

  it.each([
    ['auth', ['AUTH', 'pw'], '"AUTH" "(redacted)"'],
    ['auth', ['auth', 'user', 'pw'], '"auth" "(redacted)" "(redacted)"'],
    [
      'hello',
      ['HELLO', '3', 'auth', 'user', 'pw', 'SETNAME', 'x'],
      '"HELLO" "3" "auth" "(redacted)" "(redacted)" "SETNAME" "x"',
    ],
  ])('hides the secrets of %s', (name, args, expected) => {
    expect(lineOf(name, args)).toBe(`+1700000000.000042 [0 127.0.0.1:50000] ${expected}\r\n`);
  });

  it('has the name of a command that was not called by one', () => {
    expect(lineOf('get', ['', 'key'])).toContain('"get" "key"\r\n');
  });

  it('is cut in an argument that is too long, and behind too many arguments', () => {
    const long = lineOf('set', ['SET', 'key', 'v'.repeat(MONITOR_LINE_BYTES_MAX + 100_000), 'NX']);
    expect(long.length).toBeLessThan(MONITOR_LINE_BYTES_MAX + 70_000);
    expect(long).toMatch(/v\.\.\. \(\d+ more bytes\)" \.\.\. \(1 more arguments\)\r\n$/);
    const many = lineOf('mset', ['MSET', ...Array.from({ length: 500_000 }, () => 'argument')]);
    expect(many.length).toBeLessThan(MONITOR_LINE_BYTES_MAX + 100);
    expect(many).toMatch(/ "argument" \.\.\. \(\d+ more arguments\)\r\n$/);
  });
});
