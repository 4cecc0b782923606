/**
 * Before anything is painted: the theme that was chosen last, so that a dark page does not flash white. A classic script in
 * the page's head; theme.js does the rest.
 */
{
  const chosen = localStorage.getItem('distcache-theme');
  if (chosen === 'light' || chosen === 'dark') document.documentElement.dataset.theme = chosen;
}
