/**
 * The routes of health, for whoever supervises the process: as text, or as JSON for those who ask for it. Open to everybody,
 * but for the reasons of what failed. Main thread.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { AclAccess } from '../commands/acl-access.ts';
import { chooseOffer } from './accept.ts';
import { userFrom } from './access.ts';
import type { AdminSources, Readiness, ReadinessCheck } from './sources.ts';

const TEXT = { type: 'text/plain' };
const JSON_TEXT = { type: 'application/json' };
const OPEN = { isOpen: true };
const LIVE_SCHEMA = {
  tags: ['health'],
  summary: 'Whether the process answers',
  response: { 200: { description: 'It does.', content: formsOf() } },
};
const READY_SCHEMA = {
  tags: ['health'],
  summary: 'Whether traffic should come here',
  description: 'Open to everybody; the reasons of failed checks are only for those who send the password.',
  querystring: {
    type: 'object',
    properties: { verbose: { type: 'string', description: 'If it is there, one line for each check.' } },
  },
  response: {
    200: { description: 'It should.', content: formsOf() },
    503: { description: 'It should not.', content: formsOf() },
  },
};
const REASON_WITHHELD = 'failed (the reason needs the password)';

export function routeHealth(app: FastifyInstance, { readiness, access }: AdminSources): void {
  app.get('/livez', { config: OPEN, schema: LIVE_SCHEMA }, (request, reply) =>
    sendHealth(request, reply, 'ok\n', { live: true }),
  );
  for (const path of ['/readyz', '/healthz']) {
    const options = { config: OPEN, schema: READY_SCHEMA };
    app.get<{ Querystring: { verbose?: string } }>(path, options, (request, reply) => {
      const { ready, checks } = forEyesOf(request, readiness(), access);
      const lines = request.query.verbose === undefined ? [] : checks.map(checkLine);
      reply.code(ready ? 200 : 503);
      return sendHealth(request, reply, `${lines.join('')}${ready ? 'ok' : 'not ready'}\n`, {
        ready,
        checks,
      });
    });
  }
}

/** Both in which health is told; what is sent is text already. */
function formsOf(): Record<string, { schema: { type: string } }> {
  return { [TEXT.type]: { schema: { type: 'string' } }, [JSON_TEXT.type]: { schema: { type: 'object' } } };
}

function sendHealth(
  request: FastifyRequest,
  reply: FastifyReply,
  text: string,
  record: object,
): FastifyReply {
  const form = chooseOffer(request.headers.accept, [TEXT, JSON_TEXT]);
  reply.header('vary', 'accept').type(`${form.type}; charset=utf-8`);
  return reply.send(form === TEXT ? text : JSON.stringify(record));
}

/** Reasons may name files and peers, so they are for those who may see the other pages. */
function forEyesOf(request: FastifyRequest, { ready, checks }: Readiness, access: AclAccess): Readiness {
  const isTrusted = userFrom(request.headers.authorization, access) !== undefined;
  const shown = checks.map(({ name, ok, reason = 'failed', detail }): ReadinessCheck => {
    if (!ok) return { name, ok, reason: isTrusted ? reason : REASON_WITHHELD };
    return isTrusted && detail !== undefined ? { name, ok, detail } : { name, ok };
  });
  return { ready, checks: shown };
}

function checkLine({ name, ok, reason, detail }: ReadinessCheck): string {
  if (!ok) return `[-] ${name}: ${reason}\n`;
  return `[+] ${name}: ok${detail === undefined ? '' : ` (${detail})`}\n`;
}
