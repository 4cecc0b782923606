/**
 * What OpenAPI says of the routes of one key, and what Fastify checks of their queries. Data; main thread.
 */
import { TTL_MS_MAX, TTL_SECONDS_MAX } from './key-query.ts';
import { PROBLEM_RESPONSES } from './problem-schema.ts';

export const KEY_TAG = 'keys';

export const DATABASE_PARAMETER = {
  type: 'integer',
  minimum: 0,
  default: 0,
  description: 'Number of the database.',
};

const PARAMS = {
  type: 'object',
  properties: {
    key: {
      type: 'string',
      description:
        'The key, percent-encoded; any bytes, `/` as `%2F`. The empty key and keys that do not fit into a URL are for /v1/pipeline.',
    },
  },
};

const ETAG_HEADER = {
  type: 'string',
  description: 'Strong entity tag of the value: it changes with every change of the key.',
};

const TTL_HEADER = {
  type: 'integer',
  description: 'Milliseconds until the key expires. Missing: never.',
};

const IF_MATCH = {
  type: 'string',
  description:
    'Only if the entity tag of the key is this one (or one of these; `*`: only if it exists). Else 412.',
};

const EMPTY = { type: 'null' };

export const GET_SCHEMA = {
  tags: [KEY_TAG],
  summary: 'Read a key',
  description:
    'The bytes of a string value, with its entity tag and what is left of its time to live. HEAD answers the same without them.',
  params: PARAMS,
  querystring: queryOf({ db: DATABASE_PARAMETER }),
  headers: {
    type: 'object',
    properties: {
      'if-none-match': { type: 'string', description: 'Answer 304 if the entity tag is still this one.' },
      'if-match': IF_MATCH,
    },
  },
  response: {
    200: {
      description: 'The value.',
      headers: { etag: ETAG_HEADER, 'distcache-ttl-ms': TTL_HEADER },
      content: { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } },
    },
    304: { description: 'The client has it already.', ...EMPTY },
    ...PROBLEM_RESPONSES,
  },
} as const;

export const PUT_SCHEMA = {
  tags: [KEY_TAG],
  summary: 'Store a key',
  description:
    'Creates the key or replaces whatever it holds; the body is the value, whatever its content type. Without ttl and pttl the key stays until it is removed or evicted.',
  params: PARAMS,
  querystring: queryOf({
    db: DATABASE_PARAMETER,
    ttl: {
      type: 'integer',
      minimum: 1,
      maximum: TTL_SECONDS_MAX,
      description: 'Seconds until the key expires.',
    },
    pttl: {
      type: 'integer',
      minimum: 1,
      maximum: TTL_MS_MAX,
      description: 'Milliseconds until the key expires.',
    },
  }),
  headers: {
    type: 'object',
    properties: {
      'if-none-match': { type: 'string', description: '`*`: only if the key does not exist. Else 412.' },
      'if-match': IF_MATCH,
    },
  },
  consumes: ['application/octet-stream'],
  response: {
    201: { description: 'Created.', headers: { etag: ETAG_HEADER }, ...EMPTY },
    204: { description: 'Replaced.', headers: { etag: ETAG_HEADER }, ...EMPTY },
    ...PROBLEM_RESPONSES,
  },
} as const;

export const DELETE_SCHEMA = {
  tags: [KEY_TAG],
  summary: 'Remove a key',
  description: 'Removes a key of any type.',
  params: PARAMS,
  querystring: queryOf({ db: DATABASE_PARAMETER }),
  headers: { type: 'object', properties: { 'if-match': IF_MATCH } },
  response: { 204: { description: 'Removed.', ...EMPTY }, ...PROBLEM_RESPONSES },
} as const;

/** Unknown parameters are refused: a misspelt `ttl` must not store for ever. */
function queryOf<Properties>(properties: Properties): {
  type: 'object';
  additionalProperties: false;
  properties: Properties;
} {
  return { type: 'object', additionalProperties: false, properties };
}
