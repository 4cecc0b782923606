/**
 * The routes of what a sample of the accesses tells: the hottest keys, and the miss ratio by the size of the memory. Main
 * thread.
 */
import { Buffer } from 'node:buffer';
import type { FastifyInstance } from 'fastify';
import { type HotKey, readHotKeys } from '../commands/hot-keys.ts';
import { ADMIN_ROWS_MAX } from '../config/limits.ts';
import { arraySchema, countSchema, INTEGER, type JsonSchema, NUMBER, objectSchema } from './json-schema.ts';
import { sendProblem } from './problem.ts';
import { SHOWN_KEY_SCHEMA, shownKey } from './shown-key.ts';
import type { AdminSources } from './sources.ts';

const HOT_KEYS_DEFAULT = 16;

/** Null while there is no evidence. */
const RATIO: JsonSchema = { type: ['number', 'null'] };
const PREDICTION = objectSchema({ bytes: INTEGER, hitRatio: RATIO, missRatio: RATIO });

export function routeHotKeys(app: FastifyInstance, { live }: AdminSources): void {
  if (live === undefined) return;
  const { engine } = live;
  const schema = {
    summary: 'The keys that are used most, from a sample',
    tags: ['live'],
    querystring: {
      type: 'object',
      properties: { count: countSchema(ADMIN_ROWS_MAX, HOT_KEYS_DEFAULT) },
    },
    response: {
      200: arraySchema(
        objectSchema({
          database: INTEGER,
          ...SHOWN_KEY_SCHEMA,
          readsPerSecond: NUMBER,
          writesPerSecond: NUMBER,
          share: { ...NUMBER, description: 'Of all uses of keys, 0 to 1.' },
          error: { ...NUMBER, description: 'How much more the share may be.' },
        }),
      ),
    },
  };
  app.get<{ Querystring: { count: number } }>(
    '/v1/hot-keys',
    { schema, config: { command: 'cache.hotkeys' } },
    async ({ query }) => (await readHotKeys(engine, query.count)).map(hotKeyAsJson),
  );
}

export function routeMissRatio(app: FastifyInstance, { missRatio }: AdminSources): void {
  const schema = {
    summary: 'The miss ratio by the size of the memory, from a sample of the keys',
    tags: ['live'],
    response: {
      200: objectSchema({
        sampledKeys: INTEGER,
        rate: { ...NUMBER, description: 'The share of keys that are sampled.' },
        references: { ...INTEGER, description: 'Reads of late, of which so many were sampled:' },
        sampledReferences: INTEGER,
        hitRatio: { ...RATIO, description: 'As measured.' },
        curve: arraySchema(objectSchema({ bytes: INTEGER, keys: INTEGER, missRatio: NUMBER })),
        half: PREDICTION,
        now: PREDICTION,
        double: PREDICTION,
      }),
    },
  };
  app.get('/v1/miss-ratio', { schema, config: { command: 'cache.mrc' } }, (_, reply) => {
    const reading = missRatio?.();
    return reading === undefined ? sendProblem(reply, 404, 'no keys are sampled') : reply.send(reading);
  });
}

function hotKeyAsJson({ key, keyBytes, ...rest }: HotKey) {
  return { ...rest, ...shownKey(Buffer.from(key, 'latin1'), keyBytes) };
}
