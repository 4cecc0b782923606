/**
 * A table that lives: rows are kept by their key and only texts that differ are written; the head stays in sight, columns
 * sort by a click, and cells may carry heat. While the pointer or the focus is in it, rows keep their places.
 */
import { element, setProperty, setText } from './dom.js';

/**
 * @template Row
 * @typedef {object} Column
 * @property {string} id
 * @property {string} label
 * @property {(row: Row) => string} text
 * @property {(row: Row) => string | number} [sort] what it sorts by; without it the column does not sort
 * @property {(row: Row) => number} [heat] shades what stands out: twice the mean of its column has the full shade
 * @property {number} [heatFloor] a mean below this counts as this
 * @property {(row: Row) => number} [bar] a bar behind the number, as part of the largest in the column
 * @property {number} [barFull] what a full bar is, in place of the largest
 * @property {boolean} [isText] on the left and not a number
 * @property {boolean} [isCode] set in the fixed-width face, cut where it is too long
 * @property {string} [hint]
 * @property {(row: Row) => Node} [cell] builds the cell once, instead of `text`
 */

/**
 * @template Row
 * @typedef {object} TableOptions
 * @property {string} label what the table is, for those who hear it
 * @property {Column<Row>[]} columns
 * @property {(row: Row) => string | number} key
 * @property {string} [sortBy] id of a column
 * @property {boolean} [isAscending]
 * @property {(row: Row) => void} [onPoint] the pointer came to a row
 * @property {(row: Row) => boolean} [isMarked]
 * @property {boolean} [isTall]
 */

/**
 * @template Row
 * @typedef {object} LiveTable
 * @property {HTMLElement} element
 * @property {(rows: readonly Row[]) => void} update
 */

/** @typedef {{ row: any, tr: HTMLTableRowElement, cells: HTMLTableCellElement[] }} Line */

/**
 * @template Row
 * @param {TableOptions<Row>} options
 * @returns {LiveTable<Row>}
 */
export function createTable(options) {
  const { columns, label } = options;
  const body = element('tbody');
  const sorting = { by: options.sortBy ?? '', isAscending: options.isAscending ?? false };
  /** @type {Map<string | number, Line>} */
  const lines = new Map();
  const heads = columns.map((column) => createHead(column, sorting, () => sortRows(true)));
  const scroll = element(
    'div',
    { class: options.isTall ? 'scroll tall' : 'scroll', tabindex: 0, role: 'region', 'aria-label': label },
    element('table', {}, element('thead', {}, element('tr', {}, ...heads)), body),
  );

  const sortRows = (/** @type {boolean} */ isForced) => {
    markHeads(columns, heads, sorting);
    if (!isForced && isHeld(scroll)) return;
    orderRows(body, [...lines.values()], columns, sorting);
  };
  const write = (/** @type {readonly Row[]} */ rows) => {
    const kept = new Set(rows.map(options.key));
    for (const [key, line] of lines) {
      if (kept.has(key)) continue;
      line.tr.remove();
      lines.delete(key);
    }
    for (const row of rows) writeRow(options, lines, body, row);
    shadeColumns(columns, [...lines.values()]);
    sortRows(false);
  };
  return { element: scroll, update: whenSeen(scroll, write) };
}

/**
 * @template Row
 * @param {Column<Row>} column
 * @param {{ by: string, isAscending: boolean }} sorting
 * @param {() => void} onSort
 */
function createHead(column, sorting, onSort) {
  const attributes = { scope: 'col', class: column.isText ? 'text' : 'number', title: column.hint ?? false };
  if (column.sort === undefined) return element('th', attributes, column.label);
  const button = element('button', { type: 'button', class: 'sort' }, column.label);
  button.addEventListener('click', () => {
    sorting.isAscending = sorting.by === column.id ? !sorting.isAscending : column.isText === true;
    sorting.by = column.id;
    onSort();
  });
  return element('th', attributes, button);
}

/**
 * @template Row
 * @param {Column<Row>[]} columns
 * @param {HTMLTableCellElement[]} heads
 * @param {{ by: string, isAscending: boolean }} sorting
 */
function markHeads(columns, heads, sorting) {
  columns.forEach(({ id }, index) => {
    const order = sorting.isAscending ? 'ascending' : 'descending';
    if (id === sorting.by) heads[index].setAttribute('aria-sort', order);
    else heads[index].removeAttribute('aria-sort');
  });
}

/**
 * @template Row
 * @param {TableOptions<Row>} options
 * @param {Map<string | number, Line>} lines
 * @param {HTMLElement} body
 * @param {Row} row
 */
function writeRow(options, lines, body, row) {
  const key = options.key(row);
  const line = lines.get(key) ?? createLine(options, row, body);
  lines.set(key, line);
  line.row = row;
  if (options.isMarked) line.tr.classList.toggle('marked', options.isMarked(row));
  options.columns.forEach((column, index) => {
    if (column.cell) return;
    const text = column.text(row);
    setText(line.cells[index], text);
    if (column.isCode && line.cells[index].title !== text) line.cells[index].title = text;
  });
}

/**
 * @template Row
 * @param {TableOptions<Row>} options
 * @param {Row} row
 * @param {HTMLElement} body
 * @returns {Line}
 */
function createLine({ columns, onPoint }, row, body) {
  const cells = columns.map((column) => {
    const kind = column.isText ? 'text' : 'number';
    const cell = element('td', {
      class: `${kind}${column.isCode ? ' code' : ''}${column.heat ? ' heat' : ''}${column.bar ? ' measure' : ''}`,
    });
    if (column.cell) cell.append(column.cell(row));
    return cell;
  });
  const tr = element('tr', {}, ...cells);
  body.append(tr);
  const line = { row, tr, cells };
  if (onPoint) tr.addEventListener('pointerenter', () => onPoint(line.row));
  return line;
}

/**
 * @template Row
 * @param {Column<Row>[]} columns
 * @param {Line[]} lines
 */
function shadeColumns(columns, lines) {
  columns.forEach(({ heat, heatFloor = 0, bar, barFull = 0 }, index) => {
    const shade = heat ?? bar;
    if (shade === undefined) return;
    const values = lines.map(({ row }) => shade(row));
    const mean = Math.max(1e-9, heatFloor, values.reduce((sum, value) => sum + value, 0) / values.length);
    const full = Math.max(1e-9, barFull || Math.max(...values));
    lines.forEach(({ cells }, at) => {
      const part = heat ? (values[at] - mean) / mean : values[at] / full;
      setProperty(cells[index], '--part', Math.min(1, Math.max(0, part)).toFixed(2));
    });
  });
}

/**
 * @template Row
 * @param {HTMLElement} body
 * @param {Line[]} lines
 * @param {Column<Row>[]} columns
 * @param {{ by: string, isAscending: boolean }} sorting
 */
function orderRows(body, lines, columns, sorting) {
  const sort = columns.find(({ id }) => id === sorting.by)?.sort;
  if (sort === undefined) return;
  const sign = sorting.isAscending ? 1 : -1;
  const ordered = lines
    .map((line) => ({ line, value: sort(line.row) }))
    .sort((one, other) => sign * compare(one.value, other.value));
  ordered.forEach(({ line }, index) => {
    if (body.children[index] !== line.tr) body.insertBefore(line.tr, body.children[index]);
  });
}

/**
 * @param {string | number} one
 * @param {string | number} other
 */
function compare(one, other) {
  if (typeof one === 'number' && typeof other === 'number') return one - other;
  return String(one).localeCompare(String(other), 'en', { numeric: true });
}

/**
 * A table that nobody sees is not written; it is when it comes into sight.
 * @template Row
 * @param {HTMLElement} scroll
 * @param {(rows: readonly Row[]) => void} write
 */
function whenSeen(scroll, write) {
  /** @type {readonly Row[] | undefined} */
  let waiting;
  let isSeen = false;
  let isEmpty = true;
  const writeWaiting = () => {
    if (waiting === undefined || !(isSeen || isEmpty)) return;
    isEmpty = waiting.length === 0;
    write(waiting);
    waiting = undefined;
  };
  new IntersectionObserver(
    (entries) => {
      isSeen = entries[entries.length - 1].isIntersecting;
      writeWaiting();
    },
    { rootMargin: '100px' },
  ).observe(scroll);
  return (/** @type {readonly Row[]} */ rows) => {
    waiting = rows;
    writeWaiting();
  };
}

/** @param {HTMLElement} scroll */
function isHeld(scroll) {
  return scroll.matches(':hover') || scroll.querySelector('tbody :focus') !== null;
}
