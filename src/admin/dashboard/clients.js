/**
 * The clients, and the way to cut one off: a button that asks again in its own place.
 */
import { ApiTrouble, send } from './api.js';
import { byId, element, emptyState, setText } from './dom.js';
import { formatAge, formatBytes, formatCount } from './format.js';
import { announce } from './live-region.js';
import { poll } from './poll.js';
import { createTable } from './table.js';

const EVERY_MS = 2000;
const CLIENTS_MAX = 200;
const NOT_FOUND = 404;

/** @typedef {import('./shapes.d.ts').ClientRow} ClientRow */

/** @param {import('./poll.js').Pollster} pollster */
export function createClients(pollster) {
  const table = createTable({
    label: 'Clients',
    columns: columnsWith((id, onDone) => void killClient(id, onDone)),
    key: ({ id }) => Number(id),
    sortBy: 'commands',
  });
  const empty = emptyState('Nobody is connected. Try redis-cli with the port above.');
  table.element.hidden = true;
  byId('clients-table').append(table.element, empty);
  const asking = poll(pollster, {
    section: 'clients',
    path: () => `v1/clients?limit=${CLIENTS_MAX}`,
    everyMs: EVERY_MS,
    onData: (answer) => {
      /** @type {ClientRow[]} */
      const clients = answer.clients;
      table.update(clients);
      table.element.hidden = clients.length === 0;
      empty.hidden = clients.length > 0;
      setText(
        byId('clients-total'),
        clients.length < answer.total
          ? `${clients.length} of ${formatCount(answer.total)}`
          : formatCount(answer.total),
      );
    },
  });

  const killClient = async (/** @type {number} */ id, /** @type {() => void} */ onDone) => {
    try {
      await send('DELETE', `v1/clients/${id}`);
      announce(`Client ${id} was cut off.`);
    } catch (trouble) {
      const isGone = trouble instanceof ApiTrouble && trouble.status === NOT_FOUND;
      announce(
        isGone ? `Client ${id} had left.` : `Client ${id} stays: ${/** @type {Error} */ (trouble).message}.`,
      );
    }
    onDone();
    asking.refresh();
  };
}

/**
 * @param {(id: number, onDone: () => void) => void} kill
 * @returns {import('./table.js').Column<ClientRow>[]}
 */
function columnsWith(kill) {
  const number = (/** @type {string} */ field) => (/** @type {ClientRow} */ client) =>
    Number(client[field] ?? 0);
  const word = (/** @type {string} */ field) => (/** @type {ClientRow} */ client) =>
    String(client[field] ?? '');
  return [
    { id: 'id', label: 'Id', text: word('id'), sort: number('id') },
    { id: 'addr', label: 'Address', isText: true, text: word('addr'), sort: word('addr') },
    { id: 'name', label: 'Name', isText: true, isCode: true, text: word('name'), sort: word('name') },
    { id: 'db', label: 'DB', text: word('db'), sort: number('db') },
    {
      id: 'cmd',
      label: 'Last command',
      isText: true,
      text: (client) => String(client.cmd ?? '').toUpperCase(),
      sort: word('cmd'),
    },
    { id: 'worker', label: 'Worker', text: word('worker'), sort: number('worker') },
    {
      id: 'commands',
      label: 'Commands',
      hint: 'Since it connected',
      text: (client) => formatCount(Number(client.commands)),
      sort: number('commands'),
      bar: number('commands'),
    },
    { id: 'age', label: 'Age', text: (client) => formatAge(Number(client.age)), sort: number('age') },
    { id: 'idle', label: 'Idle', text: (client) => formatAge(Number(client.idle)), sort: number('idle') },
    {
      id: 'memory',
      label: 'Memory',
      text: (client) => formatBytes(Number(client['tot-mem'])),
      sort: number('tot-mem'),
      heat: number('tot-mem'),
      heatFloor: 65_536,
    },
    { id: 'flags', label: 'Flags', isText: true, text: word('flags'), sort: word('flags') },
    {
      id: 'kill',
      label: '',
      text: () => '',
      cell: (client) => killButton(Number(client.id), kill),
    },
  ];
}

/**
 * @param {number} id
 * @param {(id: number, onDone: () => void) => void} kill
 */
function killButton(id, kill) {
  const ask = element(
    'button',
    { type: 'button', class: 'quiet', 'aria-label': `Kill client ${id}` },
    'Kill',
  );
  const yes = element(
    'button',
    { type: 'button', class: 'danger', 'aria-label': `Yes, kill client ${id}` },
    'Kill now',
  );
  const no = element('button', { type: 'button', class: 'quiet' }, 'Keep');
  const box = element('span', { class: 'confirm' }, ask);
  const close = () => {
    const hadFocus = box.contains(document.activeElement);
    box.replaceChildren(ask);
    if (hadFocus) ask.focus();
  };
  ask.addEventListener('click', () => {
    box.replaceChildren(no, yes);
    yes.focus();
  });
  no.addEventListener('click', close);
  yes.addEventListener('click', () => {
    yes.disabled = true;
    kill(id, () => {
      yes.disabled = false;
      close();
    });
  });
  box.addEventListener('keydown', ({ key }) => {
    if (key === 'Escape') close();
  });
  return box;
}
