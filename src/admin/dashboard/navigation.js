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
    // A link that is not shown has a section that is not, either.
    const passed = sections.findLastIndex(
      (section, at) => !links[at].hidden && section && section.getBoundingClientRect().top <= READING_LINE_PX,
    );
    const next = isAtEnd ? links.length - 1 : Math.max(0, passed);
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
