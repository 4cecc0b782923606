/**
 * Requests as clients send them, for tests.
 */

/** A RESP array of bulk strings. Strings are taken as UTF-8. */
export function requestBytes(...commandArguments: readonly (string | Uint8Array)[]): Buffer {
  const parts: Uint8Array[] = [Buffer.from(`*${commandArguments.length}\r\n`)];
  for (const argument of commandArguments) {
    const bytes = typeof argument === 'string' ? Buffer.from(argument) : argument;
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n'));
  }
  return Buffer.concat(parts);
}
