/**
 * Reading a socket into one static buffer of the thread: the one place that touches a socket's `_handle`.
 *
 * `new net.Socket({ handle, onread })` skips the stream machinery on the way in, which is 15 to 25 % of a worker's
 * throughput. Should a runtime hide the handle, plain 'data' events do the same job slower.
 */
import type { Buffer } from 'node:buffer';
import net from 'node:net';

/** Called with the bytes that have just been read: `bytes[0, length)`, good until it returns. */
export type OnRead = (length: number, bytes: Buffer) => void;

/** A socket around the accepted one's handle whose input goes through `readBuffer` to `onRead`. */
export function openRawSocket(accepted: net.Socket, readBuffer: Buffer, onRead: OnRead): net.Socket {
  const holder = accepted as unknown as { _handle: unknown };
  const handle = holder._handle;
  if (handle === null || handle === undefined) return openPlainSocket(accepted, onRead);
  holder._handle = null;
  const options = {
    handle,
    // A client may send its last commands and close its side: the replies still have to go out.
    allowHalfOpen: true,
    readable: true,
    writable: true,
    onread: {
      buffer: readBuffer,
      callback: (length: number, bytes: Buffer) => {
        onRead(length, bytes);
        return true;
      },
    },
  };
  return new net.Socket(options as unknown as net.SocketConstructorOpts);
}

function openPlainSocket(accepted: net.Socket, onRead: OnRead): net.Socket {
  accepted.allowHalfOpen = true;
  accepted.on('data', (bytes: Buffer) => onRead(bytes.length, bytes));
  accepted.resume();
  return accepted;
}

/** The file descriptor behind a socket, -1 where the platform has none. */
export function fileDescriptorOf(socket: net.Socket): number {
  return (socket as unknown as { _handle?: { fd?: number } })._handle?.fd ?? -1;
}

/** Bytes that were written to a socket and that the kernel has not taken yet, to the byte; `writableLength` counts whole writes. */
export function unsentBytesOf(socket: net.Socket): number {
  return (socket as unknown as { _handle?: { writeQueueSize?: number } })._handle?.writeQueueSize ?? 0;
}
