/**
 * Light or dark: as the system says, until the button says otherwise. The choice is kept in this browser. Colours live in
 * theme.css; what is drawn on a canvas asks here for them.
 */
import { byId } from './dom.js';

const KEY = 'distcache-theme';

const dark = matchMedia('(prefers-color-scheme: dark)');

/**
 * Makes the button work; `onChange` runs after each change of colours.
 * @param {() => void} onChange
 */
export function startTheme(onChange) {
  const button = byId('theme');
  const label = () => {
    const other = isDark() ? 'light' : 'dark';
    button.setAttribute('aria-label', `Use ${other} colours`);
    button.title = `Use ${other} colours`;
    button.dataset.theme = isDark() ? 'dark' : 'light';
  };
  button.addEventListener('click', () => {
    const chosen = isDark() ? 'light' : 'dark';
    document.documentElement.dataset.theme = chosen;
    localStorage.setItem(KEY, chosen);
    label();
    onChange();
  });
  dark.addEventListener('change', () => {
    label();
    onChange();
  });
  label();
}

/**
 * The colour behind a custom property as a canvas takes it, in the theme of the moment.
 * @param {string} property such as `--ink`
 */
export function colour(property) {
  const probe = byId('probe');
  probe.style.color = `var(${property})`;
  return getComputedStyle(probe).color;
}

function isDark() {
  const { theme } = document.documentElement.dataset;
  return theme === undefined ? dark.matches : theme === 'dark';
}
