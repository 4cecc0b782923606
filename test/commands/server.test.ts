/** Tests of TIME, SHUTDOWN, FUNCTION FLUSH and CLUSTER KEYSLOT. */
import { setImmediate } from 'node:timers';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { slotOfKey } from '../../src/routing/slot.ts';
import { createHarness } from '../support/harness.ts';

const nextTurn = promisify(setImmediate);

describe('TIME', () => {
  it('tells seconds and the microseconds within them', () => {
    const harness = createHarness({ nowMs: 1_700_000_000_123 });
    expect(harness.run('TIME')).toBe('*2\r\n$10\r\n1700000000\r\n$6\r\n123000\r\n');
    harness.nowMs = 1_700_000_001_004;
    expect(harness.run('TIME')).toBe('*2\r\n$10\r\n1700000001\r\n$4\r\n4000\r\n');
  });
});

describe('SHUTDOWN', () => {
  it.each([
    [['SHUTDOWN'], { saves: undefined, isForced: false }],
    [['shutdown', 'nosave'], { saves: false, isForced: false }],
    [['SHUTDOWN', 'SAVE', 'Now', 'FORCE', 'save'], { saves: true, isForced: true }],
  ])('asks main and closes the connection without a reply: %j', async (command, request) => {
    const harness = createHarness();
    const asked: unknown[] = [];
    harness.engine.bus.handle('shutdown', (payload) => asked.push(payload));
    expect(harness.run(...command)).toBe('');
    await nextTurn();
    expect(asked).toEqual([request]);
    expect(harness.session.closing).toBe(true);
    expect(harness.deferredReplies).toEqual([]);
  });

  it('answers with an error when main does not stop', async () => {
    const harness = createHarness();
    harness.engine.bus.handle('shutdown', () => Promise.reject(new Error('no')));
    expect(harness.run('SHUTDOWN')).toBe('');
    await nextTurn();
    expect(harness.deferredReplies).toEqual(['-ERR Errors trying to SHUTDOWN. Check logs.\r\n']);
    expect(harness.session.closing).toBe(false);
  });
});

describe('CLUSTER KEYSLOT', () => {
  it.each([
    ['123456789', 12_739],
    ['', 0],
    ['foo{hash_tag}', 2515],
    ['{hash_tag}bar', 2515],
    ['foo{}bar', slotOfKey(Buffer.from('foo{}bar'), 0, 8)],
  ])('of %j is %i, as in the cluster specification', (key, slot) => {
    expect(createHarness().run('CLUSTER', 'KEYSLOT', key)).toBe(`:${slot}\r\n`);
  });
});
