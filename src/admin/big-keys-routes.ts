/**
 * The routes of the search for the largest keys: how far it is and what the latest found, and starting one. Main thread.
 */
import type { FastifyInstance } from 'fastify';
import type { BigKey } from '../shard/big-keys.ts';
import { typeName } from '../shard/type-names.ts';
import { type BigKeysSearch, bigKeysProgress, startBigKeysSearch } from '../threads/big-keys.ts';
import { arraySchema, INTEGER, NUMBER, objectSchema, TEXT } from './json-schema.ts';
import { sendProblem } from './problem.ts';
import { SHOWN_KEY_SCHEMA, shownKey } from './shown-key.ts';
import type { AdminSources } from './sources.ts';

/** -1 is no deadline, as in PTTL. */
const NO_DEADLINE = -1;

const SEARCH_SCHEMA = objectSchema({
  state: { ...TEXT, enum: ['idle', 'running', 'done', 'failed'] },
  progress: { ...NUMBER, description: 'From 0 to 1.' },
  reason: { ...TEXT, description: 'Why it failed.' },
  startedAtMs: INTEGER,
  tookMs: INTEGER,
  keys: { ...INTEGER, description: 'Of the latest search that came to its end, as all that follows.' },
  bytes: INTEGER,
  largest: arraySchema(
    objectSchema({
      database: INTEGER,
      ...SHOWN_KEY_SCHEMA,
      type: TEXT,
      bytes: { ...INTEGER, description: 'As MEMORY USAGE tells them.' },
      ttlMs: { ...INTEGER, description: '-1 without a deadline.' },
    }),
    'The largest first.',
  ),
  byType: arraySchema(objectSchema({ type: TEXT, keys: INTEGER, bytes: INTEGER })),
  bySize: arraySchema(
    objectSchema({ bytesMax: INTEGER, keys: INTEGER, bytes: INTEGER }),
    'Keys of up to so many bytes, and of more than the half of that.',
  ),
});

/** It tells names of keys of all users after a walk over all of them, as KEYS does. */
const PAGE_COMMAND = 'keys';

export function routeBigKeys(app: FastifyInstance, { live }: AdminSources): void {
  if (live === undefined) return;
  const { bigKeys } = live;
  const schema = {
    summary: 'The largest keys, as the latest search found them',
    tags: ['live'],
    response: { 200: SEARCH_SCHEMA },
  };
  app.get('/v1/big-keys', { schema, config: { command: PAGE_COMMAND } }, () =>
    searchAsJson(bigKeys, live.now().wallMs),
  );
  const startSchema = {
    summary: 'Search all shards for the largest keys',
    tags: ['live'],
    response: { 202: SEARCH_SCHEMA },
  };
  app.post('/v1/big-keys', { schema: startSchema, config: { command: PAGE_COMMAND } }, (_, reply) => {
    if (!startBigKeysSearch(bigKeys)) return sendProblem(reply, 409, 'a search runs already');
    return reply.code(202).send(searchAsJson(bigKeys, live.now().wallMs));
  });
}

function searchAsJson(search: BigKeysSearch, nowMs: number) {
  const { state, reason, startedAtMs, report } = search;
  return {
    ...{ state, reason, startedAtMs },
    progress: bigKeysProgress(search),
    tookMs: state === 'running' ? Math.max(0, nowMs - startedAtMs) : search.tookMs,
    keys: report?.keys ?? 0,
    bytes: report?.bytes ?? 0,
    largest: (report?.largest ?? []).map((key) => keyAsJson(key, nowMs)),
    byType: (report?.byType ?? []).map((totals) => ({ ...totals, type: typeName(totals.type) })),
    bySize: report?.bySize ?? [],
  };
}

function keyAsJson({ database, key, keyBytes, type, bytes, expiresAtMs }: BigKey, nowMs: number) {
  return {
    database,
    ...shownKey(key, keyBytes),
    type: typeName(type),
    bytes,
    ttlMs: expiresAtMs === 0 ? NO_DEADLINE : Math.max(0, expiresAtMs - nowMs),
  };
}
