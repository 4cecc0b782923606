/**
 * The usual way to offer keys over HTTP, as a process of its own: a Fastify route over ioredis to redis-server.
 *
 * Started with the port to listen on and the port of redis-server; says `ready` on stdout.
 */
import type { Buffer } from 'node:buffer';
import { fastify } from 'fastify';
import { Redis } from 'ioredis';

const HOST = '127.0.0.1';
const [port, redisPort] = process.argv.slice(2).map(Number);
const redis = new Redis(redisPort, HOST);
const app = fastify();

type KeyRoute = { Params: { key: string }; Body: Buffer };

app.addContentTypeParser('application/octet-stream', { parseAs: 'buffer' }, (_request, body, done) =>
  done(null, body),
);
app.get<KeyRoute>('/v1/keys/:key', async ({ params }, reply) => {
  const value = await redis.getBuffer(params.key);
  if (value === null) return reply.code(404).send();
  return reply.type('application/octet-stream').send(value);
});
app.put<KeyRoute>('/v1/keys/:key', async ({ params, body }, reply) => {
  await redis.set(params.key, body);
  return reply.code(204).send();
});
await app.listen({ host: HOST, port });
process.stdout.write('ready\n');
