/**
 * CLIENT PAUSE, for all threads: until when clients' commands wait, and which. One 64-bit word behind the reasons of the gate is the
 * truth; the gate's bits follow it, and are what every command looks at.
 *
 * Any thread begins, extends and ends it. Nobody has to be awake at its end: whoever looks first after it opens the gate.
 *
 *   63 ............... 1      0
 *  ┌────────────────────┬──────────┐
 *  │ end (ms since 1970)│ ALL      │     0 while there is no pause
 *  └────────────────────┴──────────┘
 */
import { closeGate, GATE_PAUSES_ALL, GATE_PAUSES_WRITES, type Gate, gateReasons, openGate } from './gate.ts';

const WORD_AT_BYTES = 8;
const END_SHIFT = 1n;
const ALL_BIT = 1n;
const NO_PAUSE = 0n;

/** Past any date, and exact as a number. */
const END_MS_MAX = 2 ** 52;

/** Whether some commands wait, by the bits alone: the pause may be over. One plain load. */
export function isPausing(gate: Gate): boolean {
  return (gateReasons(gate) & (GATE_PAUSES_WRITES | GATE_PAUSES_ALL)) !== 0;
}

/** Whether there is a pause at `nowMs`; ends it if its time has passed. */
export function isPaused(gate: Gate, nowMs: number): boolean {
  if (!isPausing(gate)) return false;
  const word = openWord(gate);
  for (;;) {
    const pause = Atomics.load(word, 0);
    if (pause !== NO_PAUSE && Number(pause >> END_SHIFT) >= nowMs) return true;
    if (pause === NO_PAUSE || Atomics.compareExchange(word, 0, pause, NO_PAUSE) === pause) {
      showPause(gate, word);
      return false;
    }
  }
}

/** Begins a pause, or joins it to the one there is: the later end counts, and that of all commands beats that of writes. */
export function beginPause(gate: Gate, endMs: number, includesReads: boolean): void {
  const word = openWord(gate);
  const end = BigInt(Math.min(endMs, END_MS_MAX));
  for (;;) {
    const before = Atomics.load(word, 0);
    const latest = end > before >> END_SHIFT ? end : before >> END_SHIFT;
    const after = (latest << END_SHIFT) | (before & ALL_BIT) | (includesReads ? ALL_BIT : 0n);
    if (Atomics.compareExchange(word, 0, before, after) !== before) continue;
    showPause(gate, word);
    return;
  }
}

/** Ends it, if there is one. */
export function endPause(gate: Gate): void {
  const word = openWord(gate);
  Atomics.store(word, 0, NO_PAUSE);
  showPause(gate, word);
}

/** When it ends, in ms since 1970; 0 where there is none. */
export function pauseEndMs(gate: Gate): number {
  return Number(Atomics.load(openWord(gate), 0) >> END_SHIFT);
}

/** Makes the gate's bits say what the word says. Of several threads that do so, the last one has seen the last word. */
function showPause(gate: Gate, word: BigInt64Array): void {
  for (;;) {
    const pause = Atomics.load(word, 0);
    setReason(gate, GATE_PAUSES_WRITES, pause !== NO_PAUSE);
    setReason(gate, GATE_PAUSES_ALL, (pause & ALL_BIT) !== 0n);
    if (Atomics.load(word, 0) === pause) return;
  }
}

function setReason(gate: Gate, reason: number, isOn: boolean): void {
  if (isOn) closeGate(gate, reason);
  else openGate(gate, reason);
}

function openWord(gate: Gate): BigInt64Array {
  return new BigInt64Array(gate.buffer, gate.byteOffset + WORD_AT_BYTES, 1);
}
