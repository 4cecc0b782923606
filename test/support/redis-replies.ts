/**
 * What an oracle server answers to a list of commands, reply by reply, however long the replies are.
 *
 * The connection stays open until the last reply is there: a server that sees its client's end drops what it has not
 * sent yet.
 */
import { Buffer } from 'node:buffer';
import { connect } from 'node:net';
import { splitReplies } from './replies.ts';
import { requestBytes } from './request-bytes.ts';

/** Its reply shows that all before it have come. */
const END_MARK = 'the last reply of this conversation';
const END_REPLY = `$${END_MARK.length}\r\n${END_MARK}\r\n`;

/** Sends all commands in one pipeline of a fresh connection; resolves with one reply each, one character per byte. */
export function askRedis(
  port: number,
  commands: readonly (readonly (string | Buffer)[])[],
): Promise<string[]> {
  const input = Buffer.concat([...commands, ['ECHO', END_MARK]].map((command) => requestBytes(...command)));
  return new Promise((resolve, reject) => {
    const received: Buffer[] = [];
    const socket = connect({ port, host: '127.0.0.1' }, () => socket.write(input));
    socket.on('data', (chunk: Buffer) => {
      received.push(chunk);
      if (Buffer.concat(received.slice(-2)).toString('latin1').endsWith(END_REPLY)) socket.destroy();
    });
    socket.on('error', reject);
    socket.on('close', () => {
      const replies = splitReplies(Buffer.concat(received).toString('latin1'));
      if (replies.pop() === END_REPLY && replies.length === commands.length) resolve(replies);
      else reject(new Error(`${commands.length} commands got ${replies.length} replies`));
    });
  });
}
