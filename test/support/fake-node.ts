/**
 * Something that listens like a node and answers commands as a test says.
 */
import { createServer } from 'node:net';

export type FakeNode = {
  readonly port: number;
  /** Every command that came, in one line. */
  readonly commands: string[];
  close(): void;
};

/** `answer` gives a reply in RESP for the words of a command, or undefined to say nothing at all. */
export async function startFakeNode(answer: (words: string[]) => string | undefined): Promise<FakeNode> {
  const commands: string[] = [];
  const server = createServer((socket) => {
    let text = '';
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1');
      for (let taken = takeCommand(text); taken !== undefined; taken = takeCommand(text)) {
        text = taken.rest;
        commands.push(taken.words.join(' '));
        const reply = answer(taken.words);
        if (reply !== undefined) socket.write(reply);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('it listens on a port');
  return { port: address.port, commands, close: () => void server.close() };
}

/** A bulk string. */
export function bulkReply(text: string): string {
  return `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
}

/** The words of a request that is whole; what is asked in tests has no line ends in it. */
function takeCommand(text: string): { words: string[]; rest: string } | undefined {
  const lines = text.split('\r\n');
  const count = Number(lines[0].slice(1));
  if (lines.length <= 2 * count + 1) return undefined;
  const words = Array.from({ length: count }, (_, at) => lines[2 + 2 * at]);
  return { words, rest: lines.slice(2 * count + 1).join('\r\n') };
}
