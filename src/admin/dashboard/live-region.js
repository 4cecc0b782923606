/**
 * What was done and what went wrong, said once to those who hear the page and shown for a moment to those who see it.
 */
import { byId, setText } from './dom.js';

const SHOWN_MS = 5000;

/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

/** @param {string} text one sentence */
export function announce(text) {
  const note = byId('note');
  clearTimeout(timer);
  setText(note, text);
  note.dataset.shown = 'yes';
  timer = setTimeout(() => {
    delete note.dataset.shown;
  }, SHOWN_MS);
}
