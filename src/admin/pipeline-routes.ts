/**
 * Commands over HTTP as JSON: POST /v1/pipeline, and the listing of keys, GET /v1/keys. Main thread.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { HTTP_SCAN_COUNT_MAX, PIPELINE_BODY_BYTES_MAX, PIPELINE_COMMANDS_MAX } from '../config/limits.ts';
import type { CommandRunner } from './command-runner.ts';
import { DATABASE_PARAMETER, KEY_TAG } from './key-schemas.ts';
import { TOLD_BODY } from './openapi.ts';
import { peerAddress } from './peer-address.ts';
import { type PipelineCommand, pipelineFault, runPipeline } from './pipeline.ts';
import { sendProblem } from './problem.ts';
import { PROBLEM_RESPONSES } from './problem-schema.ts';
import { replyJson } from './reply-json.ts';
import { databaseFault, errorText, sendErrorReply, sendTrouble } from './reply-problem.ts';
import type { AdminSources } from './sources.ts';

const JSON_CONTENT_TYPE = 'application/json; charset=utf-8';

type PipelineRoute = { Querystring: { db?: number; encoding?: 'utf8' | 'base64' } };
type ListRoute = {
  Querystring: PipelineRoute['Querystring'] & {
    match?: string;
    cursor?: string;
    count?: number;
    type?: string;
  };
};

const ENCODING_PARAMETER = {
  type: 'string',
  enum: ['utf8', 'base64'],
  default: 'utf8',
  description:
    '`utf8`: bytes that are UTF-8 come as strings, others as `{"base64": "..."}`. `base64`: all bytes do.',
};

const PIPELINE_SCHEMA = {
  tags: [KEY_TAG],
  summary: 'Run commands',
  description:
    'Runs commands one after the other, as RESP clients send them. The replies come in the same order; one that failed is `{"error": "..."}`. Not a transaction, but between MULTI and EXEC: others may run in between.',
  querystring: {
    type: 'object',
    additionalProperties: false,
    properties: { db: DATABASE_PARAMETER, encoding: ENCODING_PARAMETER },
  },
  // Told, not checked: the compiled check would turn numbers and nulls into strings.
  [TOLD_BODY]: {
    type: 'array',
    maxItems: PIPELINE_COMMANDS_MAX,
    description: 'Arrays of arguments, the name first: strings, numbers, or `{"base64": "..."}` for bytes.',
    items: {
      type: 'array',
      minItems: 1,
      items: {
        anyOf: [
          { type: 'string' },
          { type: 'number' },
          { type: 'object', required: ['base64'], properties: { base64: { type: 'string' } } },
        ],
      },
    },
    examples: [
      [
        ['SET', 'greeting', 'hello'],
        ['GET', 'greeting'],
      ],
    ],
  },
  response: { 200: { description: 'The replies.', type: 'array', items: {} }, ...PROBLEM_RESPONSES },
} as const;

const LIST_SCHEMA = {
  tags: [KEY_TAG],
  summary: 'List keys',
  description:
    'A part of the keys: ask again with the cursor of the answer until it is "0". A key that stays is listed at least once.',
  querystring: {
    type: 'object',
    additionalProperties: false,
    properties: {
      db: DATABASE_PARAMETER,
      encoding: ENCODING_PARAMETER,
      match: { type: 'string', description: 'Pattern of the names, as in SCAN: `*`, `?`, `[a-z]`.' },
      cursor: { type: 'string', pattern: '^[0-9]+$', default: '0', description: 'Where to go on.' },
      count: {
        type: 'integer',
        minimum: 1,
        maximum: HTTP_SCAN_COUNT_MAX,
        default: 100,
        description: 'About how many keys to look at.',
      },
      type: { type: 'string', description: 'Only keys of this type.' },
    },
  },
  response: {
    200: {
      description: 'Some keys.',
      type: 'object',
      properties: { cursor: { type: 'string' }, keys: { type: 'array', items: {} } },
    },
    ...PROBLEM_RESPONSES,
  },
} as const;

export function routePipeline(app: FastifyInstance, { commands }: AdminSources): void {
  if (commands === undefined) return;
  const options = {
    schema: PIPELINE_SCHEMA,
    bodyLimit: PIPELINE_BODY_BYTES_MAX,
  };
  app.post<PipelineRoute>('/v1/pipeline', options, (request, reply) =>
    answerPipeline(commands, request, reply),
  );
  app.get<ListRoute>('/v1/keys', { schema: LIST_SCHEMA }, (request, reply) =>
    answerList(commands, request, reply),
  );
}

async function answerPipeline(
  runner: CommandRunner,
  request: FastifyRequest<PipelineRoute>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { body } = request;
  const fault = pipelineFault(body);
  if (fault !== undefined) return sendProblem(reply, 400, fault);
  const { db = 0, encoding } = request.query;
  if (db >= runner.engine.config.databases) return sendProblem(reply, 400, databaseFault(runner.engine));
  const result = await runPipeline(runner, {
    commands: body as PipelineCommand[],
    database: db,
    address: peerAddress(request.raw.socket),
    user: request.user,
  });
  if ('detail' in result) return sendTrouble(reply, result);
  const isBase64 = encoding === 'base64';
  const texts = result.replies.map((bytes) => JSON.stringify(replyJson(bytes, isBase64)));
  return reply.type(JSON_CONTENT_TYPE).send(`[${texts.join(',')}]`);
}

async function answerList(
  runner: CommandRunner,
  request: FastifyRequest<ListRoute>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { db = 0, encoding, match, cursor = '0', count = 100, type } = request.query;
  const command = [
    ...['SCAN', cursor, 'COUNT', String(count)],
    ...(match === undefined ? [] : ['MATCH', match]),
    ...(type === undefined ? [] : ['TYPE', type]),
  ];
  if (db >= runner.engine.config.databases) return sendProblem(reply, 400, databaseFault(runner.engine));
  const address = peerAddress(request.raw.socket);
  const { user } = request;
  const result = await runPipeline(runner, { commands: [command], database: db, address, user });
  if ('detail' in result) return sendTrouble(reply, result);
  const [bytes] = result.replies;
  const error = errorText(bytes, bytes.length);
  if (error !== undefined) return sendErrorReply(reply, error);
  const [next, keys] = replyJson(bytes, encoding === 'base64') as [unknown, unknown];
  // A cursor is digits, in whatever encoding the keys come.
  const text =
    typeof next === 'string' ? next : Buffer.from((next as { base64: string }).base64, 'base64').toString();
  return reply.type(JSON_CONTENT_TYPE).send(JSON.stringify({ cursor: text, keys }));
}
