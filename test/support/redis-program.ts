/**
 * Programs for differential tests: commands in a row, run by an oracle server over one connection.
 */
import { exchangeBytes } from './redis-exchange.ts';
import { requestBytes } from './request-bytes.ts';

export type ProgramCommand = readonly (string | Buffer)[];

/** Between two replies stands the answer to an ECHO of this, with the number of the command before it. */
const MARK = '~~the reply before this was number ';

/** The raw reply of each command, one character per byte. The program must not close its connection. */
export async function runOnRedis(port: number, program: readonly ProgramCommand[]): Promise<string[]> {
  const requests = program.flatMap((command, index) => [
    requestBytes(...command),
    requestBytes('ECHO', `${MARK}${index}`),
  ]);
  const text = (await exchangeBytes(port, Buffer.concat(requests))).toString('latin1');
  const replies: string[] = [];
  let at = 0;
  for (const index of program.keys()) {
    const payload = `${MARK}${index}`;
    const mark = `$${payload.length}\r\n${payload}\r\n`;
    const end = text.indexOf(mark, at);
    if (end < 0) throw new Error(`no reply to command ${index}, but ${JSON.stringify(text.slice(at))}`);
    replies.push(text.slice(at, end));
    at = end + mark.length;
  }
  return replies;
}
