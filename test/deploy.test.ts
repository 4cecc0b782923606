/** Tests of the files with which the server is deployed: they name what is there, and give no rights away. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..');
const DOCKERFILE = readFileSync(join(ROOT, 'Dockerfile'), 'utf8');
const IGNORED = readFileSync(join(ROOT, '.dockerignore'), 'utf8').split('\n');
const SERVICE = join(ROOT, 'deploy', 'distcache.service');

it('the image copies only what is there, and what .dockerignore lets through', () => {
  const copied = [...DOCKERFILE.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, sources]) =>
    sources.split(' '),
  );
  expect(copied).toContain('src');
  expect(copied).toEqual(expect.arrayContaining(buildFiles()));
  for (const path of copied) {
    expect(existsSync(join(ROOT, path)), path).toBe(true);
    expect(IGNORED, path).toContain(`!${path}`);
  }
});

/** What the bundling of the image is made of: the build, and all of ours that it imports. */
function buildFiles(path = 'scripts/build.ts'): string[] {
  const text = readFileSync(join(ROOT, path), 'utf8');
  const imported = [...text.matchAll(/from '(\.[^']+)'/g)].map(([, name]) => join(path, '..', name));
  return [path.startsWith('bin/') ? 'bin' : path, ...imported.flatMap((name) => buildFiles(name))];
}

it('the image starts what it has bundled, without the sources', () => {
  const [, last] = /\nFROM [^\n]+\n(?![\s\S]*\nFROM)([\s\S]*)/.exec(DOCKERFILE) ?? [];
  expect(last).toContain('COPY --from=bundle /app/dist dist');
  expect(last).not.toMatch(/^COPY (src|workers)/m);
});

it('the image runs as a user without rights, by its number, and stops by the signal that the server knows', () => {
  expect(DOCKERFILE).toMatch(/^USER 10001:10001$/m);
  expect(DOCKERFILE).toMatch(/^STOPSIGNAL SIGTERM$/m);
  expect(DOCKERFILE).not.toMatch(/REQUIREPASS=(?!\.\.\.)/);
});

it('the service runs as a user of its own, without privileges, and is not started again for a bad configuration', () => {
  const unit = readFileSync(SERVICE, 'utf8');
  for (const line of [
    'DynamicUser=yes',
    'NoNewPrivileges=yes',
    'ProtectSystem=strict',
    'CapabilityBoundingSet=',
  ])
    expect(unit.split('\n')).toContain(line);
  expect(unit).toMatch(/^RestartPreventExitStatus=78$/m);
});
