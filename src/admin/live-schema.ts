/**
 * The shapes of the live data, for the description of the API. Pure.
 */
import { INTEGER, type JsonSchema, NUMBER, objectSchema, sameSchema } from './json-schema.ts';

const PERCENTILES = sameSchema(NUMBER, ['p50', 'p99', 'max']);

/** One second of the server. */
export const SAMPLE_SCHEMA: JsonSchema = objectSchema({
  t: { ...INTEGER, description: 'When it was taken, in ms since 1970.' },
  opsPerSecond: NUMBER,
  commands: {
    type: 'object',
    description: 'Calls per second of the busiest commands by name, and of the `other` ones together.',
    additionalProperties: NUMBER,
  },
  latencyUs: objectSchema({ ...PERCENTILES, p999: NUMBER }, 'Time that commands took, in that second.'),
  turnUs: objectSchema(PERCENTILES, 'Length of the turns of the workers.'),
  loopDelayMs: objectSchema(PERCENTILES, 'How late the event loops of the workers were.'),
  ...sameSchema(NUMBER, [
    'hitsPerSecond',
    'missesPerSecond',
    'usedBytes',
    'limitBytes',
    'rssBytes',
    'keys',
    'evictedPerSecond',
  ]),
  evictedIdleSeconds: {
    ...NUMBER,
    description: 'For how long what was evicted had not been used: the mean.',
  },
  expiredPerSecond: NUMBER,
  expiryLagMs: { ...NUMBER, description: 'How late the latest key was expired; 0 when none was.' },
  ...sameSchema(NUMBER, [
    'connections',
    'acceptedPerSecond',
    'inBytesPerSecond',
    'outBytesPerSecond',
    'errorsPerSecond',
  ]),
  cpuPercent: { ...NUMBER, description: 'Of one processor, so that it may be above 100.' },
  ...sameSchema(NUMBER, [
    'lockWaitsPerSecond',
    'logBytesPerSecond',
    'syncsPerSecond',
    'syncMs',
    'unsyncedBytes',
  ]),
});
