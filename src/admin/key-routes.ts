/**
 * The routes of one key, as Fastify and the OpenAPI document know them. Main thread.
 *
 * A request that comes over a socket hardly ever gets here: the door (key-door.ts) takes it before.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type KeyDoor, serveKey } from './key-door.ts';
import { routedUrl } from './key-name.ts';
import { DELETE_SCHEMA, GET_SCHEMA, PUT_SCHEMA } from './key-schemas.ts';

export function routeKeys(app: FastifyInstance, door: KeyDoor): void {
  void app.register(async (scope) => {
    // The door reads the body itself, whatever type it says it has.
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request, _message, done) => done(null));
    const handler = ({ raw, originalUrl }: FastifyRequest, reply: FastifyReply) => {
      // A router decodes the path; the door would find the key elsewhere in it.
      if (routedUrl(originalUrl) === originalUrl) {
        reply.callNotFound();
        return;
      }
      reply.hijack();
      serveKey(door, raw, reply.raw);
    };
    const url = '/v1/keys/:key';
    // It checks the query as well.
    const validatorCompiler = () => () => true;
    scope.get(url, { schema: GET_SCHEMA, validatorCompiler }, handler);
    scope.put(url, { schema: PUT_SCHEMA, validatorCompiler }, handler);
    scope.delete(url, { schema: DELETE_SCHEMA, validatorCompiler }, handler);
  });
}
