// Which Node.js can run this server. Plain JavaScript of the oldest kind, because a too old Node must
// still be able to read it and say so.
//
// The server hands accepted sockets to worker threads, and `net.Socket` is transferable since 24.20 and 26.6.

/** The versions that work, in the words of the message and of `engines` in package.json. */
export const SUPPORTED_NODE = '24.20 or newer of 24, or 26.6 or newer';

/**
 * Whether a Node.js version such as '26.10.0' (without the v) can run the server.
 *
 * @param {string} version
 * @returns {boolean}
 */
export function isSupportedNode(version) {
  const parts = version.split('.');
  const major = Number(parts[0]);
  const minor = Number(parts[1]);
  if (major === 24) return minor >= 20;
  if (major === 26) return minor >= 6;
  return major > 26;
}
