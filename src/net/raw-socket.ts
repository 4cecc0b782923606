/**
 * Reading a socket into one static buffer of the thread, and writing to it at once: the one place that touches a socket's
 * `_handle`.
 *
 * `new net.Socket({ handle, onread })` skips the stream machinery on the way in, which is 15 to 25 % of a worker's
 * throughput; writing through the handle skips it on the way out, another 10 % of the processor time of one GET. Should
 * a runtime hide the handle, or want to be called otherwise, plain 'data' events and `write` do the same job slower; TLS has to
 * go that way.
 */
import type { Buffer } from 'node:buffer';
import net from 'node:net';

/** What is used of libuv's handle as Node 26 wraps it. */
type Handle = {
  readonly fd?: number;
  readonly writeQueueSize?: number;
  /** Of TLS: the connection beneath it. */
  readonly _parent?: Handle;
  /** 0: the kernel has taken all. Negative: an errno. Else the request of a write that goes on. */
  writeBuffer: (request: null, bytes: Buffer) => number | WriteRequest;
};

type WriteRequest = { handle: Handle; buffer: Buffer; oncomplete: () => void; writeStatus: number | null };

/** Whether this runtime's streams write with a null request; found out at the first write of the thread. */
let writesWithoutRequest: boolean | undefined;

/** Called with the bytes that have just been read: `bytes[0, length)`, good until it returns. */
export type OnRead = (length: number, bytes: Buffer) => void;

/** A socket around the accepted one's handle whose input goes through `readBuffer` to `onRead`. */
export function openRawSocket(accepted: net.Socket, readBuffer: Buffer, onRead: OnRead): net.Socket {
  const holder = accepted as unknown as { _handle: unknown };
  const handle = holder._handle;
  if (handle === null || handle === undefined) return openStreamSocket(accepted, onRead);
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

/** A socket as it is, TLS among them, whose input comes as the stream has it. */
export function openStreamSocket(accepted: net.Socket, onRead: OnRead): net.Socket {
  accepted.allowHalfOpen = true;
  accepted.on('data', (bytes: Buffer) => onRead(bytes.length, bytes));
  accepted.resume();
  return accepted;
}

/** The file descriptor behind a socket, -1 where the platform has none. */
export function fileDescriptorOf(socket: net.Socket): number {
  return handleOf(socket)?.fd ?? -1;
}

/** Bytes that were written to a socket and that the kernel has not taken yet, to the byte; `writableLength` counts whole writes. */
export function unsentBytesOf(socket: net.Socket): number {
  const handle = handleOf(socket);
  return (handle?.writeQueueSize ?? 0) + (handle?._parent?.writeQueueSize ?? 0);
}

/** Bytes that OpenSSL has encrypted and still keeps, because the kernel takes no more. */
export function sealedBytesOf(socket: net.Socket): number {
  return handleOf(socket)?.writeQueueSize ?? 0;
}

/**
 * Writes bytes of which nothing may wait before them. True when the kernel has taken all; false when the rest goes out
 * later: then the bytes must stay as they are, and `onSent` is called when that is over, as it is not otherwise. A broken socket is destroyed.
 */
export function writeAtOnce(socket: net.Socket, bytes: Buffer, onSent: () => void): boolean {
  const handle = handleOf(socket);
  if (handle === undefined || handle === null) return true;
  if (writesWithoutRequest !== true) return writeThroughStream(socket, handle, bytes, onSent);
  const result = handle.writeBuffer(null, bytes);
  if (result === 0) return true;
  if (typeof result === 'number') {
    socket.destroy();
    return true;
  }
  // The end may have come already.
  if (result.writeStatus !== null) return true;
  // What the stream would do: keep the bytes, and hear of the end.
  result.handle = handle;
  result.buffer = bytes;
  result.oncomplete = onSent;
  return false;
}

function writeThroughStream(socket: net.Socket, handle: Handle, bytes: Buffer, onSent: () => void): boolean {
  if (writesWithoutRequest === undefined) watchFirstWrite(handle);
  let isTaken = false;
  socket.write(bytes, () => {
    if (!isTaken) onSent();
  });
  isTaken = socket.writableLength === 0;
  return isTaken;
}

/** Looks at how the stream itself calls the handle, once: by the prototype's method from then on. */
function watchFirstWrite(handle: Handle): void {
  const inherited = handle.writeBuffer;
  handle.writeBuffer = (request, bytes) => {
    writesWithoutRequest = request === null;
    Reflect.deleteProperty(handle, 'writeBuffer');
    return inherited.call(handle, request, bytes);
  };
}

function handleOf(socket: net.Socket): Handle | null | undefined {
  return (socket as unknown as { _handle?: Handle | null })._handle;
}
