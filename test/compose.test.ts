/** Tests of docker-compose.yml: what it starts is what `npm run cluster` starts, three members of etcd instead of one, and no rights more. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { load } from './config/world.ts';
import { nodeFlags } from './support/cluster-node.ts';
import { readCompose } from './support/compose.ts';

const ROOT = join(import.meta.dirname, '..');
const { services, networks, volumes } = readCompose();
const names = Object.keys(services);
const etcds = names.filter((name) => name.startsWith('etcd-'));
const nodes = names.filter((name) => name.startsWith('node-'));

it('it starts three members of etcd and three nodes', () => {
  expect(etcds).toEqual(['etcd-1', 'etcd-2', 'etcd-3']);
  expect(nodes).toEqual(['node-1', 'node-2', 'node-3']);
  expect(names).toHaveLength(6);
});

it.each(names)('%s runs without rights, bounded, is started again, and is asked for its health', (name) => {
  const service = services[name];
  expect(service).toMatchObject({ restart: 'unless-stopped', read_only: true, cap_drop: ['ALL'] });
  for (const bound of [service.mem_limit, service.cpus, service.pids_limit]) expect(bound).toBeTruthy();
  expect(service.healthcheck.test[0]).toBe('CMD');
});

it.each(names)('%s keeps its data in a volume of its own name', (name) => {
  expect(services[name].volumes).toEqual([`${name}:/data`]);
  expect(Object.keys(volumes)).toContain(name);
});

it('the images are built from files that there are', () => {
  for (const { build } of Object.values(services)) {
    const file =
      typeof build === 'string' ? join(build, 'Dockerfile') : join(build.context, build.dockerfile);
    expect(existsSync(join(ROOT, file)), file).toBe(true);
  }
});

it('only nodes are reached from this machine, on the ports of npm run cluster, and from no other', () => {
  const published = names.flatMap((name) => services[name].ports ?? []);
  expect(published).toEqual([
    ...['127.0.0.1:6379:6379', '127.0.0.1:8080:8080'],
    ...['127.0.0.1:6380:6380', '127.0.0.1:8081:8081'],
    ...['127.0.0.1:6381:6381', '127.0.0.1:8082:8082'],
  ]);
  for (const name of etcds) expect(services[name].networks).toEqual(['coordination']);
  expect(networks.coordination).toEqual({ internal: true });
});

it.each(nodes)('%s is configured as npm run cluster would, in its own place', (name) => {
  const { environment, depends_on } = services[name];
  const settings = {
    ...environment,
    DISTCACHE_BIND: name,
    DISTCACHE_HTTP_BIND: name,
    DISTCACHE_DIR: '/data',
  };
  const { config, notices } = load([], settings);
  const { config: expected } = load([
    ...nodeFlags(
      { name, host: name, port: config.port, httpPort: config.httpPort, folder: '/data' },
      {
        name: 'distcache',
        etcdUrls: etcds.map((etcd) => services[etcd].environment.ETCD_ADVERTISE_CLIENT_URLS),
      },
    ),
    ...['--maxmemory', '1gb', '--protected-mode', 'no', '--requirepass', '', '--masterauth', ''],
  ]);
  expect(notices).toEqual([]);
  expect(config).toEqual(expected);
  expect(Object.keys(depends_on ?? {})).toEqual(etcds);
});

it.each(etcds)('%s is where the others look for it', (name) => {
  const { environment } = services[name];
  const cluster = etcds.map(
    (etcd) => `${etcd}=${services[etcd].environment.ETCD_INITIAL_ADVERTISE_PEER_URLS}`,
  );
  expect(environment.ETCD_NAME).toBe(name);
  expect(environment.ETCD_INITIAL_CLUSTER).toBe(cluster.join(','));
  expect(environment.ETCD_ADVERTISE_CLIENT_URLS).toBe(`http://${name}:2379`);
});
