/** What a node says of itself, from its configuration. */
import { describe, expect, it } from 'vitest';
import { StartError } from '../../src/base/errors.ts';
import { announcedHost, checkClusterConfig, describeOwnNode } from '../../src/cluster/announcement.ts';
import type { Config } from '../../src/config/config.ts';
import { configOf } from '../config/world.ts';
import { createSimulatedDisk } from '../support/simulated-disk.ts';

const ID = 'c'.repeat(40);
const address = (text: string, family: 'IPv4' | 'IPv6', internal: boolean) => ({
  ...{ address: text, netmask: '', mac: '', cidr: null, scopeid: 0, internal },
  family: family as 'IPv4',
});
const INTERFACES = {
  lo: [address('127.0.0.1', 'IPv4', true)],
  eth0: [address('fe80::1', 'IPv6', false), address('192.0.2.7', 'IPv4', false)],
};

const hostOf = (...flags: string[]): string => announcedHost(configOf(...flags), INTERFACES);

describe('others reach a node', () => {
  it('at the first address that it listens on', () => {
    expect(hostOf()).toBe('127.0.0.1');
    expect(hostOf('--bind', '-10.1.2.3', '127.0.0.1')).toBe('10.1.2.3');
  });

  it.each(['*', '0.0.0.0', '::*', '::', '-::*'])(
    'at one that leads out of the machine, with bind %s',
    (word) => {
      expect(hostOf('--bind', word)).toBe('192.0.2.7');
      expect(announcedHost(configOf('--bind', word), {})).toBe('127.0.0.1');
    },
  );

  it('at the address and ports that are configured for it', () => {
    const config = configOf(
      ...['--cluster-announce-host', 'cache-1.example', '--cluster-announce-port', '7001'],
      ...['--cluster-announce-tls-port', '7002', '--cluster-announce-http-port', '7003'],
    );
    expect(record(config)).toMatchObject({
      ...{ host: 'cache-1.example', port: 7001, tlsPort: 7002, httpPort: 7003 },
    });
  });

  it('at the ports that it listens on', () => {
    expect(record(configOf('--port', '7000', '--http-port', '8000', '--cluster-weight', '50'))).toEqual({
      ...{ id: ID, host: '127.0.0.1', port: 7000, tlsPort: 0, httpPort: 8000, weight: 50 },
      ...{ runId: 'run', startedAtMs: 5, isLeaving: false },
    });
  });
});

describe('a start is refused', () => {
  it.each(['', 'a/b', 'a b', 'ä', 'x'.repeat(65)])('with the cluster name %j', (name) => {
    expect(() => checkClusterConfig({ ...configOf(), clusterName: name })).toThrow(StartError);
  });

  it.each(['127.0.0.1:2379', 'ftp://root:secret@etcd', 'http://ok:1,nonsense', ''])(
    'with the URLs %j, without repeating them',
    (url) => {
      const check = () => checkClusterConfig({ ...configOf(), clusterEtcd: [url] });
      expect(check).toThrow(StartError);
      expect(check).not.toThrow(/secret/);
    },
  );

  it('not with names and URLs as they should be', () => {
    const config = { clusterName: 'eu-1.cache_A', clusterEtcd: ['http://a:1,https://u:p@b:2'] };
    checkClusterConfig({ ...configOf(), ...config });
  });
});

function record(config: Config) {
  return describeOwnNode({
    ...{ config: { ...config, nodeId: ID }, storage: createSimulatedDisk() },
    ...{ interfaces: INTERFACES, runId: 'run', startedAtMs: 5 },
  });
}
