/**
 * Secrets: hashing them, and comparing them without telling through the time it takes how much of a guess was right, or how long
 * it is.
 *
 * Owns no state; runs on every thread.
 */
import { createHash, timingSafeEqual } from 'node:crypto';

/** Whether two secrets are the same bytes. A few microseconds; throws never. */
export function equalSecrets(a: Uint8Array, b: Uint8Array): boolean {
  return timingSafeEqual(digestOf(a), digestOf(b));
}

/** SHA-256 of a secret, as 64 lower-case hexadecimal digits. */
export function hashSecret(secret: Uint8Array): string {
  return createHash('sha256').update(secret).digest('hex');
}

/** Of one length whatever the secret's, which is what timingSafeEqual asks for. */
function digestOf(secret: Uint8Array): Uint8Array {
  return createHash('sha256').update(secret).digest();
}
