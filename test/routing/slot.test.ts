/** Tests of the slot of a key: the specification's examples, every length and brace position, and redis-server itself. */
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { describe, expect, test } from 'vitest';
import { SLOT_COUNT, slotOfKey } from '../../src/routing/slot.ts';
import { describeWithRedis, startRedisServer } from '../support/redis-server.ts';

const RANDOM_KEYS = 20_000;

function slotOf(key: string | Uint8Array): number {
  const bytes = typeof key === 'string' ? Buffer.from(key, 'latin1') : key;
  return slotOfKey(bytes, 0, bytes.length);
}

/** The definition, bit by bit, with the tag rules written on strings. */
function plainSlot(key: string): number {
  const opening = key.indexOf('{');
  const closing = opening < 0 ? -1 : key.indexOf('}', opening + 1);
  const hashed = closing > opening + 1 ? key.slice(opening + 1, closing) : key;
  let crc = 0;
  for (const character of hashed) {
    crc ^= character.charCodeAt(0) << 8;
    for (let bit = 0; bit < 8; bit++)
      crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff;
  }
  return crc % SLOT_COUNT;
}

describe('the slot of a key', () => {
  test('follows the check value of CRC16-XMODEM and the examples of the cluster specification', () => {
    expect(slotOf('123456789')).toBe(0x31c3 % SLOT_COUNT);
    expect(slotOf('foo')).toBe(12182);
    expect(slotOf('somekey')).toBe(11058);
    expect(slotOf('foo{hash_tag}')).toBe(2515);
    expect(slotOf('')).toBe(0);
  });

  test('is the same for keys that share a hash tag', () => {
    expect(slotOf('{user1000}.following')).toBe(slotOf('{user1000}.followers'));
    expect(slotOf('{user1000}.following')).toBe(slotOf('user1000'));
  });

  test('takes the whole key where the tag is empty or unclosed, and only the first tag otherwise', () => {
    expect(slotOf('foo{}{bar}')).toBe(plainSlot('foo{}{bar}'));
    expect(slotOf('foo{}{bar}')).not.toBe(slotOf('bar'));
    expect(slotOf('foo{bar')).toBe(plainSlot('foo{bar'));
    expect(slotOf('foo{bar')).not.toBe(slotOf('bar'));
    expect(slotOf('foo{{bar}}zap')).toBe(slotOf('{bar'));
    expect(slotOf('foo{bar}{zap}')).toBe(slotOf('bar'));
    expect(slotOf('}foo{bar}')).toBe(slotOf('bar'));
  });

  test('is that of the definition for every length up to 40 and a brace pair at every two positions', () => {
    for (let length = 0; length <= 40; length++) {
      const key = 'The quick brown fox jumps over a lazy dog.'.slice(0, length);
      expect(slotOf(key)).toBe(plainSlot(key));
    }
    const letters = 'abcdefghijklmnopqrstuvw';
    for (let opening = 0; opening < letters.length; opening++) {
      for (let closing = 0; closing < letters.length; closing++) {
        const characters = [...letters];
        characters[closing] = '}';
        characters[opening] = '{';
        const key = characters.join('');
        expect(slotOf(key), key).toBe(plainSlot(key));
      }
    }
  });

  test('depends on the span alone, wherever it lies, in private and in shared memory', () => {
    const shared = new Uint8Array(new SharedArrayBuffer(64)).fill(0x7b);
    const key = Buffer.from('user:session:4711');
    for (let at = 0; at < 40; at++) {
      shared.fill(0x7b);
      shared.set(key, at);
      expect(slotOfKey(shared, at, at + key.length)).toBe(slotOf(key));
    }
  });

  test('is that of the definition for any bytes', () => {
    const someByte = fc.oneof(fc.constantFrom(0x7b, 0x7d), fc.integer({ min: 0, max: 255 }));
    fc.assert(
      fc.property(fc.array(someByte, { maxLength: 64 }), (values) => {
        expect(slotOf(Uint8Array.from(values))).toBe(plainSlot(Buffer.from(values).toString('latin1')));
      }),
      { numRuns: 2000 },
    );
  });
});

describeWithRedis('CLUSTER KEYSLOT of redis-server', () => {
  test(`agrees for ${RANDOM_KEYS} random binary keys, half of them with braces`, async () => {
    const server = await startRedisServer(['--cluster-enabled', 'yes']);
    const client = new Redis(server.port, { lazyConnect: true });
    try {
      await client.connect();
      const keys = fc.sample(binaryKey, RANDOM_KEYS);
      const pipeline = client.pipeline();
      for (const key of keys) pipeline.call('CLUSTER', 'KEYSLOT', key);
      const replies = (await pipeline.exec()) ?? [];
      expect(replies.map(([, slot]) => slot)).toEqual(keys.map(slotOf));
    } finally {
      client.disconnect();
      await server.stop();
    }
  }, 30_000);
});

const binaryKey = fc
  .array(fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(0x7b, 0x7d)), { maxLength: 48 })
  .map((values) => Buffer.from(values));
