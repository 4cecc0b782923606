/** Plots as SVG text. */
import { describe, expect, test } from 'vitest';
import { type Figure, figureSvg, type Panel, seriesNames, wrapWords } from '../../bench/support/svg.ts';
import { colourClasses } from '../../bench/support/svg-style.ts';

const spread = (median: number, reach = 0) => ({ median, min: median - reach, max: median + reach });

const PANEL: Panel = {
  title: 'GET',
  categories: ['1', '16'],
  series: [
    { name: 'redis-server', values: [spread(50, 10), spread(80)] },
    { name: 'distcache', values: [spread(40), undefined] },
  ],
};

function figure(change: Partial<Figure> = {}): Figure {
  return {
    title: 'Throughput',
    valueLabel: 'requests a second',
    categoryLabel: 'depth',
    description: 'what it shows',
    marks: 'bars',
    scale: 'linear',
    axis: 'shared',
    panels: [PANEL],
    ...change,
  };
}

function count(text: string, part: string): number {
  return text.split(part).length - 1;
}

/** The heights of all bars, in the order of the series and their categories. */
function barHeights(svg: string): number[] {
  return [...svg.matchAll(/<rect class="fill"[^>]* height="([\d.]+)" rx="1.5"/g)].map((match) =>
    Number(match[1]),
  );
}

describe('a picture', () => {
  test('tells its title and what it shows to those who cannot see it', () => {
    const svg = figureSvg(figure());
    expect(svg).toContain('role="img" aria-labelledby="title desc"');
    expect(svg).toContain('<title id="title">Throughput</title>');
    expect(svg).toContain('<desc id="desc">what it shows</desc>');
  });

  test('has colours for dark surroundings', () => {
    expect(figureSvg(figure())).toContain('@media (prefers-color-scheme:dark)');
  });

  test('keeps names from becoming markup', () => {
    const svg = figureSvg(figure({ title: 'a < b & c', description: '<x>' }));
    expect(svg).toContain('a &lt; b &amp; c');
    expect(svg).toContain('&lt;x&gt;');
    expect(svg).not.toContain('<x>');
  });

  test('is of balanced elements and has no number that is none', () => {
    for (const marks of ['bars', 'lines'] as const) {
      const svg = figureSvg(figure({ marks, scale: marks === 'bars' ? 'linear' : 'log' }));
      expect(svg).not.toMatch(/NaN|Infinity|undefined/);
      for (const element of ['svg', 'g', 'text', 'style', 'title', 'desc'])
        expect(count(svg, `<${element}>`) + count(svg, `<${element} `)).toBe(count(svg, `</${element}>`));
    }
  });
});

describe('bars', () => {
  test('are as high as their values on one axis, and there is none where nothing was measured', () => {
    const [first, second, third, ...others] = barHeights(figureSvg(figure()));
    expect(others).toEqual([]);
    expect(first / second).toBeCloseTo(50 / 80, 2);
    expect(third / second).toBeCloseTo(40 / 80, 2);
  });

  test('have a whisker where the runs differ by what can be seen', () => {
    expect(count(figureSvg(figure()), 'class="whisker"')).toBe(1);
  });

  test('of several panels share an axis only where that is asked for', () => {
    const small = { ...PANEL, title: 'SET', series: [{ name: 'distcache', values: [spread(5), spread(8)] }] };
    const shared = barHeights(figureSvg(figure({ panels: [PANEL, small] })));
    expect(shared[4] / shared[1]).toBeCloseTo(0.1, 2);
    const own = barHeights(figureSvg(figure({ panels: [PANEL, small], axis: 'own' })));
    expect(own[4]).toBeGreaterThan(0.5 * own[1]);
  });
});

describe('lines', () => {
  test('leave out what was not measured', () => {
    const svg = figureSvg(figure({ marks: 'lines' }));
    const points = [...svg.matchAll(/points="([^"]*)"/g)].map((match) => match[1].split(' ').length);
    expect(points).toEqual([2, 1]);
  });
});

test('a legend names each series once, in the order in which they come', () => {
  const other = { ...PANEL, series: [{ name: 'memcached', values: [] }, ...PANEL.series] };
  expect(seriesNames(figure({ panels: [PANEL, other] }))).toEqual(['redis-server', 'distcache', 'memcached']);
});

test('a server has the same colour in every picture, its variants other shades, strangers one of their own', () => {
  const [redis, lru, lfu, stranger] = colourClasses(['redis-server', 'distcache a', 'distcache b', 'other']);
  expect(colourClasses(['distcache', 'redis-server'])).toEqual([lru, redis]);
  expect(new Set([redis, lru, lfu, stranger]).size).toBe(4);
  expect(lfu.slice(0, 2)).toBe(lru.slice(0, 2));
});

describe('a label', () => {
  test('is cut between words into lines that fit', () => {
    expect(wrapWords('Zipf 0.99 and scans', 10)).toEqual(['Zipf 0.99', 'and scans']);
    expect(wrapWords('Zipf 0.99 and scans', 19)).toEqual(['Zipf 0.99 and scans']);
  });

  test('keeps a long word whole', () => {
    expect(wrapWords('a verylongword b', 4)).toEqual(['a', 'verylongword', 'b']);
  });
});
