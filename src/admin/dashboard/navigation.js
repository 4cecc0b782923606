/**
 * The line of links to the sections: the one that is read is marked, and stays in sight where the line is narrow.
 */

/** What begins above this line counts as read. */
const READING_LINE_PX = 170;

export function startNavigation() {
  const links = /** @type {HTMLAnchorElement[]} */ ([...document.querySelectorAll('nav a')]);
  const sections = links.map((link) => document.querySelector(link.hash));
  let current = -1;
  let isFramed = false;
  const mark = () => {
    isFramed = false;
    const isAtEnd = innerHeight + scrollY >= document.documentElement.scrollHeight - 2;
    const passed = sections.filter(
      (section) => section && section.getBoundingClientRect().top <= READING_LINE_PX,
    ).length;
    const next = isAtEnd ? links.length - 1 : Math.max(0, passed - 1);
    if (next === current) return;
    links[current]?.removeAttribute('aria-current');
    links[next].setAttribute('aria-current', 'true');
    current = next;
    const row = links[next].parentElement;
    row?.scrollTo({ left: links[next].offsetLeft - row.clientWidth / 2 });
  };
  addEventListener(
    'scroll',
    () => {
      if (isFramed) return;
      isFramed = true;
      requestAnimationFrame(mark);
    },
    { passive: true },
  );
  mark();
}
