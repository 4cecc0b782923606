/**
 * The routes of the clients of all threads: who they are, and closing one. Main thread.
 */
import type { FastifyInstance } from 'fastify';
import { killClient } from '../commands/client-kill.ts';
import { type ClientOrder, readClients } from '../commands/client-records.ts';
import { ADMIN_ROWS_DEFAULT, ADMIN_ROWS_MAX } from '../config/limits.ts';
import { arraySchema, countSchema, INTEGER, objectSchema, sameSchema, TEXT } from './json-schema.ts';
import { sendProblem } from './problem.ts';
import type { AdminSources } from './sources.ts';

const CLIENT_SCHEMA = objectSchema(
  {
    id: INTEGER,
    ...sameSchema(TEXT, ['addr', 'laddr']),
    fd: INTEGER,
    name: TEXT,
    ...sameSchema(INTEGER, ['age', 'idle']),
    flags: TEXT,
    ...sameSchema(INTEGER, [
      'db',
      'sub',
      'psub',
      'ssub',
      'multi',
      'qbuf',
      'qbuf-free',
      'argv-mem',
      'multi-mem',
    ]),
    ...sameSchema(INTEGER, ['rbs', 'rbp', 'obl', 'oll', 'omem', 'tot-mem']),
    ...sameSchema(TEXT, ['events', 'cmd', 'user']),
    ...sameSchema(INTEGER, ['redir', 'resp']),
    ...sameSchema(TEXT, ['lib-name', 'lib-ver']),
    ...sameSchema(INTEGER, ['worker', 'connectedAtMs', 'commands', 'bytesIn', 'bytesOut']),
  },
  'The fields of CLIENT LIST, and what the client has done so far.',
);

export function routeClients(app: FastifyInstance, { live }: AdminSources): void {
  if (live === undefined) return;
  const { engine } = live;
  const listSchema = {
    summary: 'The clients of all workers',
    tags: ['live'],
    querystring: {
      type: 'object',
      properties: {
        limit: countSchema(ADMIN_ROWS_MAX, ADMIN_ROWS_DEFAULT),
        order: { type: 'string', enum: ['busiest', 'newest'], default: 'busiest' },
      },
    },
    response: { 200: objectSchema({ total: INTEGER, clients: arraySchema(CLIENT_SCHEMA) }) },
  };
  app.get<{ Querystring: { limit: number; order: ClientOrder } }>(
    '/v1/clients',
    { schema: listSchema, config: { command: 'client|list' } },
    ({ query }) => readClients(engine, query.limit, query.order),
  );
  const killSchema = {
    summary: 'Close the connection of a client',
    tags: ['live'],
    params: objectSchema({ id: { ...INTEGER, minimum: 1 } }),
    response: { 204: { type: 'null', description: 'It is closed.' } },
  };
  app.delete<{ Params: { id: number } }>(
    '/v1/clients/:id',
    { schema: killSchema, config: { command: 'client|kill' } },
    async ({ params }, reply) => {
      if (await killClient(engine, params.id)) return reply.code(204).send();
      return sendProblem(reply, 404, `there is no client ${params.id}`);
    },
  );
}
