/** The looks of the plots: fonts, and a colour for each server that is the same in all of them, light and dark. Pure. */

/** Hues in degrees by what a series' name begins with; its variants get further shades of it. */
const FAMILIES = [
  { prefix: 'distcache', hue: 217, saturationPercent: 76 },
  { prefix: 'redis-server', hue: 16, saturationPercent: 74 },
  { prefix: 'valkey-server', hue: 276, saturationPercent: 50 },
  { prefix: 'memcached', hue: 158, saturationPercent: 46 },
];
const OTHER = { hue: 45, saturationPercent: 60 };
/** Lightness in percent of a family's first, second, ... series. */
const LIGHT_SHADES = [47, 68, 30, 82];
const DARK_SHADES = [60, 42, 78, 28];

/** One class for each name: `f<family>s<shade>`. */
export function colourClasses(names: readonly string[]): string[] {
  const used = new Map<number, number>();
  return names.map((name) => {
    const found = FAMILIES.findIndex(({ prefix }) => name.startsWith(prefix));
    const family = found < 0 ? FAMILIES.length : found;
    const shade = used.get(family) ?? 0;
    used.set(family, shade + 1);
    return `f${family}s${shade % LIGHT_SHADES.length}`;
  });
}

function shadeRules(shades: readonly number[]): string {
  return [...FAMILIES, OTHER]
    .flatMap(({ hue, saturationPercent }, family) =>
      shades.map(
        (lightness, shade) => `.f${family}s${shade}{--ink:hsl(${hue} ${saturationPercent}% ${lightness}%)}`,
      ),
    )
    .join('\n');
}

/** The rules of every plot. */
export const PLOT_STYLE = `
svg{--paper:#ffffff;--text:#1c2430;--muted:#5b6675;--grid:#e3e7ec;--axis:#98a2b0;--whisker:#1c2430}
${shadeRules(LIGHT_SHADES)}
@media (prefers-color-scheme:dark){
svg{--paper:#0f141b;--text:#e6ebf2;--muted:#98a4b3;--grid:#232c38;--axis:#566273;--whisker:#e6ebf2}
${shadeRules(DARK_SHADES)}
}
text{font:12px system-ui,-apple-system,"Segoe UI","Helvetica Neue",Arial,sans-serif;fill:var(--text)}
.title{font-size:17px;font-weight:600}
.panel{font-size:13px;font-weight:600}
.muted{fill:var(--muted)}
.number{font-size:11px}
.middle{text-anchor:middle}
.end{text-anchor:end}
.paper{fill:var(--paper)}
.grid{stroke:var(--grid)}
.axis{stroke:var(--axis)}
.fill{fill:var(--ink)}
.stroke{fill:none;stroke:var(--ink);stroke-width:2;stroke-linejoin:round}
.whisker{fill:none;stroke:var(--whisker);stroke-opacity:.7}
.spread{fill:none;stroke:var(--ink);stroke-opacity:.75}
`;
