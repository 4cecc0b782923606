/**
 * The golden transcripts of test/transcripts: replies and the changes of counters; and where redis-server is there, the
 * replies and the counters that it has too on it. Transcripts with the same flags share a server.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startDistcache } from '../support/distcache-server.ts';
import { describeWithRedis, startRedisServer } from '../support/redis-server.ts';
import { parseTranscript, readCounts, type Transcript } from '../support/transcript.ts';
import { infoCounts, openStage, type PlayedServer, playCase } from '../support/transcript-server.ts';

const FOLDER = fileURLToPath(new URL('../transcripts/', import.meta.url));
const TRANSCRIPTS = readdirSync(FOLDER).map((file): [string, Transcript] => [
  file,
  parseTranscript(readFileSync(`${FOLDER}${file}`, 'utf8')),
]);
/** A case that shows what redis-server does not do so says it in its title. */
const OURS = '(ours)';
/** That of the transcript that asks for one. */
const PASSWORD = 'secret';
const COMMON_FLAGS = ['--appendonly', 'no', '--save', '', '--enable-debug-command', 'yes'];

type Start = (flags: readonly string[]) => Promise<PlayedServer>;

async function startOurs(flags: readonly string[]): Promise<PlayedServer> {
  const started = await startDistcache([...COMMON_FLAGS, ...flags]);
  const counts = () => readCounts(started.httpPort, PASSWORD);
  return { ...(await openStage(started.port, flags)), counts, stop: () => started.stop() };
}

async function startRedis(flags: readonly string[]): Promise<PlayedServer> {
  const started = await startRedisServer([...COMMON_FLAGS, ...flags]);
  const opened = await openStage(started.port, flags);
  return { ...opened, counts: infoCounts(opened.control), stop: () => started.stop() };
}

/** Plays the cases that are `shown`, each file on the server with its flags. */
function play(start: Start, shown: (title: string) => boolean): void {
  const servers = new Map<string, Promise<PlayedServer>>();
  afterAll(async () => {
    for (const server of servers.values()) await (await server).stop();
  });
  const played = TRANSCRIPTS.map(([file, { flags, cases }]) => ({
    file,
    flags,
    cases: cases.filter(({ title }) => shown(title)),
  })).filter(({ cases }) => cases.length > 0);
  describe.each(played)('transcript $file', ({ flags, cases }) => {
    let server: PlayedServer;
    beforeAll(async () => {
      const key = flags.join(' ');
      const started = servers.get(key) ?? start(flags);
      servers.set(key, started);
      server = await started;
    });
    it.each(cases)('$title', (one) => playCase(server, one));
  });
}

describe('on this server', () => play(startOurs, () => true));
describeWithRedis('on redis-server', () => play(startRedis, (title) => !title.endsWith(OURS)));

it('every case shows something', () => {
  for (const [file, { cases }] of TRANSCRIPTS) {
    expect(cases.length, file).toBeGreaterThan(0);
    for (const { title, blocks } of cases) expect(blocks.length, title).toBeGreaterThan(0);
  }
});
