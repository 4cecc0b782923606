/**
 * What the keys are: strings and collections, as parts of one bar and in numbers. Written from the event `state`.
 */
import { byId, element, setProperty, setText } from './dom.js';
import { formatCount, formatPercent } from './format.js';

/** @typedef {import('./shapes.d.ts').StateAnswer} StateAnswer */

/** What people call the types that have short names. */
const LABELS = new Map([
  ['string', 'Strings'],
  ['list', 'Lists'],
  ['set', 'Sets'],
  ['zset', 'Sorted sets'],
  ['hash', 'Hashes'],
]);

/** Builds the parts as types come; the function that it returns writes them anew. */
export function createKeyTypes() {
  /** @type {Map<string, { part: HTMLElement; count: HTMLElement; share: HTMLElement; entry: HTMLElement }>} */
  const shown = new Map();
  /** @param {string} name */
  const rowOf = (name) => {
    const known = shown.get(name);
    if (known !== undefined) return known;
    const part = element('span', { class: 'share-part' });
    const count = element('span', {}, '–');
    const share = element('span', { class: 'share-note' });
    const entry = element(
      'div',
      {},
      element('dt', {}, element('span', { class: 'share-mark' }), LABELS.get(name) ?? name),
      element('dd', {}, count, ' ', share),
    );
    for (const painted of [part, entry]) setProperty(painted, '--paint', `var(--series-${shown.size + 1})`);
    byId('key-types-bar').append(part);
    byId('key-types-list').append(entry);
    const row = { part, count, share, entry };
    shown.set(name, row);
    return row;
  };
  /** @param {StateAnswer} state */
  return ({ types }) => {
    const all = types.reduce((sum, { keys }) => sum + keys, 0);
    for (const { name, keys } of types) {
      const { part, count, share, entry } = rowOf(name);
      setProperty(part, '--share', String(keys));
      setText(count, formatCount(keys));
      setText(share, all === 0 ? '' : formatPercent(keys / all));
      entry.dataset.state = keys === 0 ? 'none' : 'some';
    }
  };
}
