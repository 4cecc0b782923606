/**
 * Answers that are asked for, rather than sent: again and again while their section is in sight, the page is in front
 * and the server is there. What goes wrong stands in the section's own line.
 */
import { getJson } from './api.js';
import { byId, setText } from './dom.js';

/** @typedef {{ isLive: boolean, polls: Poll[] }} Pollster */

/**
 * @typedef {object} Poll
 * @property {() => void} wake asks at once where it is due
 * @property {() => void} refresh asks at once
 */

/** @returns {Pollster} */
export function createPollster() {
  const pollster = { isLive: false, polls: /** @type {Poll[]} */ ([]) };
  document.addEventListener('visibilitychange', () => wakePolls(pollster));
  return pollster;
}

/**
 * Whether there is a server to ask; asks at once when there is one again.
 * @param {Pollster} pollster
 * @param {boolean} isLive
 */
export function setLive(pollster, isLive) {
  pollster.isLive = isLive;
  wakePolls(pollster);
}

/**
 * @param {Pollster} pollster
 * @param {{ section: string, path: () => string, everyMs: number, onData: (data: any) => void }} options `section` is an
 *   id, and with `-trouble` behind it that of the line for what went wrong
 * @returns {Poll}
 */
export function poll(pollster, { section, path, everyMs, onData }) {
  const troubleElement = byId(`${section}-trouble`);
  let isSeen = false;
  let isAsking = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const ask = async () => {
    if (isAsking) return;
    isAsking = true;
    clearTimeout(timer);
    timer = undefined;
    try {
      onData(await getJson(path()));
      setText(troubleElement, '');
    } catch (trouble) {
      if (pollster.isLive)
        setText(troubleElement, `Not up to date: ${/** @type {Error} */ (trouble).message}.`);
    }
    isAsking = false;
    timer = setTimeout(() => {
      timer = undefined;
      wake();
    }, everyMs);
  };
  const wake = () => {
    if (isSeen && pollster.isLive && !document.hidden && timer === undefined) void ask();
  };
  new IntersectionObserver(
    (entries) => {
      isSeen = entries[entries.length - 1].isIntersecting;
      wake();
    },
    { rootMargin: '200px' },
  ).observe(byId(section));
  const made = { wake, refresh: () => void ask() };
  pollster.polls.push(made);
  return made;
}

/** @param {Pollster} pollster */
function wakePolls(pollster) {
  for (const { wake } of pollster.polls) wake();
}
