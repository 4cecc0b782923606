/**
 * The value of the image of a large collection, which stands in a snapshot in the place of its entry's and is followed by pieces (piece.ts).
 *
 * Pure; any thread. It is that of a tree (form.ts) as far as this goes, with the number of groups in the place of the head page:
 *
 *   0       1          3              7
 *  ┌───────┬──────────┬──────────────┐
 *  │ FLAGS │ not used │ COUNT (u32)  │   FORM_TREE is among the flags
 *  └───────┴──────────┴──────────────┘
 */
import type { Buffer } from 'node:buffer';
import { FORM_TREE } from './form.ts';

const COUNT = 3;
export const LARGE_IMAGE_BYTES = 7;

/** Whether the value that begins at `start` is that of a tree. */
export function isTreeValue(bytes: Buffer, start: number): boolean {
  return (bytes[start] & FORM_TREE) !== 0;
}

/** Makes the value of a tree, which begins at `start`, that of its image. */
export function writeLargeImage(bytes: Buffer, start: number, count: number): void {
  bytes.writeUInt16LE(0, start + 1);
  bytes.writeUInt32LE(count, start + COUNT);
}

/** How many groups the collection had when its copy was begun. */
export function largeImageCount(bytes: Buffer, start: number): number {
  return bytes.readUInt32LE(start + COUNT);
}
