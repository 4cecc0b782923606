/**
 * The body of a PUT: read behind its key into one buffer, which is what the shard stores from. Main thread.
 *
 * Refused before it is read where its length is announced and too great; memory is taken as it comes.
 */
import { Buffer } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { KEY_AT } from './key-commands.ts';

const BODY_BYTES_START = 1024;
/** An announced length gets at most this at first: an announcement alone costs nothing to send. */
const BODY_BYTES_ANNOUNCED_MAX = 1024 * 1024;

/** As a KeyRequest has it. */
export type KeyBody = { readonly input: Buffer; readonly keyBytes: number };

/** The key and the body of a request; 'too-large' for a body above `bytesMax`; an error where the client went away. */
export function readKeyBody(
  message: IncomingMessage,
  key: Buffer,
  bytesMax: number,
  done: (result: KeyBody | 'too-large' | Error) => void,
): void {
  const announced = Number(message.headers['content-length'] ?? 0);
  if (announced > bytesMax) {
    done('too-large');
    return;
  }
  const room = message.headers['content-length'] === undefined ? BODY_BYTES_START : announced;
  const valueAt = KEY_AT + key.length;
  let input: Buffer = Buffer.allocUnsafe(valueAt + Math.min(room, BODY_BYTES_ANNOUNCED_MAX));
  let end = KEY_AT + key.copy(input, KEY_AT);
  let isOver = false;
  const finish = (result: KeyBody | 'too-large' | Error) => {
    if (isOver) return;
    isOver = true;
    done(result);
  };
  message.on('data', (chunk: Buffer) => {
    if (isOver) return;
    if (end + chunk.length - valueAt > bytesMax) {
      finish('too-large');
      return;
    }
    if (end + chunk.length > input.length) input = grown(input, end, end + chunk.length);
    end += chunk.copy(input, end);
  });
  message.once('end', () => finish({ input: input.subarray(0, end), keyBytes: key.length }));
  message.once('error', finish);
}

function grown(input: Buffer, used: number, bytes: number): Buffer {
  const larger = Buffer.allocUnsafe(Math.max(bytes, 2 * input.length));
  input.copy(larger, 0, 0, used);
  return larger;
}
