/** File, environment and flags: who wins, and how each mistake is refused. */
import { describe, expect, it } from 'vitest';
import { StartError } from '../../src/base/errors.ts';
import { DIRECTIVES, environmentName } from '../../src/config/directives.ts';
import { GIB, MIB } from '../../src/config/limits.ts';
import { loadConfig } from '../../src/config/load.ts';
import { configOf, load, WORKING_FOLDER, world } from './world.ts';

function errorOf(
  argv: string[],
  environment: Record<string, string> = {},
  files: Record<string, string> = {},
): string {
  try {
    loadConfig(argv, environment, world(files));
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    expect(error.exitCode).toBe(78);
    expect(error.message).not.toContain('\n');
    return error.message;
  }
  throw new Error('expected a refusal');
}

describe('the defaults', () => {
  it('serve on loopback with a bound on memory', () => {
    const config = configOf();
    expect(config).toMatchObject({
      port: 6379,
      bind: ['127.0.0.1', '-::1'],
      httpPort: 8080,
      httpBind: ['127.0.0.1'],
      protectedMode: true,
      workers: 4,
      maxmemory: 8 * GIB,
      maxmemoryReserved: 8 * GIB,
      maxmemoryClients: `${4 * GIB}`,
      maxmemoryPolicy: 'allkeys-lru',
      databases: 16,
      requirepass: '',
      dir: WORKING_FOLDER,
      appendonly: true,
      appendfsync: 'everysec',
      stopWritesOnBgsaveError: true,
      autoAofRewritePercentage: 100,
      autoAofRewriteMinSize: 64 * MIB,
      aofLoadTruncated: true,
      onLogError: 'refuse',
      snapshotCpuShare: 50,
      configFile: undefined,
    });
    expect(config.clientOutputBufferLimit.normal).toEqual({
      hardBytes: GIB,
      softBytes: 256 * MIB,
      softSeconds: 60,
    });
    expect(config.save).toContainEqual({ seconds: 300, changes: 100 });
  });

  it('can be cloned to another thread', () => {
    const config = configOf('--maxmemory', '1gb');
    expect(structuredClone(config)).toEqual(config);
  });

  it('share memory out over the workers that were asked for', () => {
    expect(load(['--workers', '1']).config.maxmemory).toBe(8 * GIB);
    expect(load([], {}, {}).config.texts.workers).toBe('4');
  });
});

describe('flags', () => {
  it('take a value after a space or an equals sign', () => {
    expect(configOf('--port', '7000').port).toBe(7000);
    expect(configOf('--port=7000').port).toBe(7000);
    expect(configOf('--PORT', '7000').port).toBe(7000);
    expect(configOf('--requirepass=--a=b').requirepass).toBe('--a=b');
  });

  it('take all words up to the next flag', () => {
    const config = configOf('--bind', '127.0.0.1', '-::1', '--save', '60', '1', '300', '10', '--port', '1');
    expect(config.bind).toEqual(['127.0.0.1', '-::1']);
    expect(config.save).toEqual([
      { seconds: 60, changes: 1 },
      { seconds: 300, changes: 10 },
    ]);
    expect(config.port).toBe(1);
  });

  it('may give several words as one', () => {
    expect(configOf('--save', '60 1 300 10').texts.save).toBe('60 1 300 10');
  });

  it('switch snapshots off with an empty save, or with no words', () => {
    expect(configOf('--save', '').save).toEqual([]);
    expect(configOf('--save', '--port', '1').save).toEqual([]);
    expect(configOf('--save', '60', '1', '--save', '').save).toEqual([]);
    expect(configOf('--save', '', '--save', '60', '1').texts.save).toBe('60 1');
  });

  it('are last one wins', () => {
    expect(configOf('--port', '1', '--port', '2').port).toBe(2);
  });

  it('accept the older names', () => {
    expect(configOf('--slave-priority', '7').texts['replica-priority']).toBe('7');
  });

  it('know help and version', () => {
    expect(loadConfig(['--version'], {}, world())).toEqual({ kind: 'version' });
    expect(loadConfig(['-v'], {}, world())).toEqual({ kind: 'version' });
    const help = loadConfig(['-h', '--port', '1'], {}, world());
    expect(help).toMatchObject({ kind: 'help', text: expect.stringContaining('--maxmemory-policy') });
    for (const { name, hidden } of DIRECTIVES) {
      if (hidden !== true && help.kind === 'help') expect(help.text).toContain(name);
    }
  });
});

describe('sources', () => {
  const files = { '/etc/cache.conf': 'port 1\ntimeout 1\nmaxclients 1\nsave 10 1\nsave 20 2\n' };

  it('are flags over environment over file', () => {
    const environment = { DISTCACHE_PORT: '2', DISTCACHE_TIMEOUT: '2', HOME: '/root' };
    const { config } = load(['/etc/cache.conf', '--port', '3'], environment, files);
    expect([config.port, config.timeout, config.maxclients]).toEqual([3, 2, 1]);
    expect(config.configFile).toBe('/etc/cache.conf');
  });

  it('add up the save rules, as in redis-server, where none takes all away', () => {
    expect(load(['--config', '/etc/cache.conf'], {}, files).config.texts.save).toBe('10 1 20 2');
    expect(load(['/etc/cache.conf', '--save', '5', '5'], {}, files).config.texts.save).toBe('10 1 20 2 5 5');
    const anew = ['/etc/cache.conf', '--save', '', '--save', '5', '5'];
    expect(load(anew, {}, files).config.texts.save).toBe('5 5');
    for (const argv of [['--save'], ['--save', ''], ['--save=']])
      expect(load(['/etc/cache.conf', ...argv, '--port', '1'], {}, files).config.texts.save).toBe('');
    expect(load(['/etc/cache.conf'], { DISTCACHE_SAVE: '' }, files).config.texts.save).toBe('');
  });

  it('take the command lines that redis-server takes', () => {
    const read = (...argv: string[]) => load(argv, {}, files).config.texts;
    const both = read('/etc/cache.conf', '--maxmemory 700mb', "--maxmemory-policy 'volatile-lru'");
    expect([both.maxmemory, both['maxmemory-policy']]).toEqual([`${700 * MIB}`, 'volatile-lru']);
    expect(read('/etc/cache.conf', 'loglevel', 'verbose', '--hz 7')).toMatchObject({
      loglevel: 'verbose',
      hz: '7',
    });
    const dashed = { 'proc-title-template': '--my--title--template', loglevel: 'verbose', save: '' };
    expect(
      read('--proc-title-template', '--my--title--template', '--loglevel', 'verbose', '--save'),
    ).toMatchObject(dashed);
    expect(read('--proc-title-template --my--title--template', '--save', '--loglevel verbose')).toMatchObject(
      dashed,
    );
    expect(read('--proc-title-template', '--save', '--loglevel', 'verbose')['proc-title-template']).toBe(
      '--save',
    );
    const signals = read(
      '--shutdown-on-sigint',
      'nosave',
      'force',
      'now',
      '--shutdown-on-sigterm',
      'nosave force',
    );
    expect([signals['shutdown-on-sigint'], signals['shutdown-on-sigterm']]).toEqual([
      'nosave now force',
      'nosave force',
    ]);
    expect(read('--requirepass=a b=c "').requirepass).toBe('a b=c "');
  });

  it('merge output limits class by class', () => {
    const lines = 'client-output-buffer-limit normal 1mb 2kb 3\nclient-output-buffer-limit slave 0 0 0\n';
    const { config } = load(['/c'], {}, { '/c': lines });
    expect(config.texts['client-output-buffer-limit']).toBe(
      'normal 1048576 2048 3 slave 0 0 0 pubsub 33554432 8388608 60',
    );
  });

  it('resolve a relative file and folder against the working folder', () => {
    const { config } = load(['a.conf'], {}, { [`${WORKING_FOLDER}/a.conf`]: 'dir ./data\n' });
    expect(config.configFile).toBe(`${WORKING_FOLDER}/a.conf`);
    expect(config.dir).toBe(`${WORKING_FOLDER}/data`);
    expect(config.texts.dir).toBe(`${WORKING_FOLDER}/data`);
  });

  it('have a variable for every directive', () => {
    expect(load([], { DISTCACHE_MAXMEMORY_POLICY: 'noeviction' }).config.maxmemoryPolicy).toBe('noeviction');
    expect(new Set(DIRECTIVES.map(environmentName)).size).toBe(DIRECTIVES.length);
  });

  it('leave out what a container platform adds for a service of our name', () => {
    const links = {
      DISTCACHE_SERVICE_HOST: '10.0.0.1',
      DISTCACHE_SERVICE_PORT_RESP: '6379',
      DISTCACHE_PORT: 'tcp://10.0.0.1:6379',
      DISTCACHE_PORT_6379_TCP_ADDR: '10.0.0.1',
    };
    expect(load([], links).config.port).toBe(6379);
  });
});

describe('a file', () => {
  it('may hold comments, blank lines, quotes, CRLF and names in any case', () => {
    const text = '# comment\r\n\r\n  PORT 7000\r\nrequirepass "two words"\r\n\tlogfile \'x y\'';
    const { config } = load(['/c'], {}, { '/c': text });
    expect([config.port, config.requirepass, config.logfile]).toEqual([7000, 'two words', 'x y']);
  });

  it('includes others where the line stands', () => {
    const files = { '/c': 'port 1\ninclude /d\ntimeout 3\n', '/d': 'port 2\ntimeout 2\n' };
    const { config } = load(['/c'], {}, files);
    expect([config.port, config.timeout]).toEqual([2, 3]);
  });

  it('includes all files of a pattern, which may be none', () => {
    const files = { '/c': 'include /d/*\ninclude /none/*\n', '/d/1': 'port 1', '/d/2': 'port 2' };
    expect(load(['/c'], {}, files).config.port).toBe(2);
  });

  it('may hold names that redis-server gave up', () => {
    expect(load(['/c'], {}, { '/c': 'lua-replicate-commands yes\nport 5\n' }).config.port).toBe(5);
  });

  it('is refused when it includes itself without end', () => {
    const chain: Record<string, string> = { '/c16': 'port 5' };
    for (let i = 0; i < 16; i++) chain[`/c${i}`] = `include /c${i + 1}`;
    expect(load(['/c0'], {}, chain).config.port).toBe(5);
    chain['/c'] = 'include /c0';
    expect(errorOf(['/c'], {}, chain)).toBe('/c15:1: more than 16 files include each other');
    expect(errorOf(['/c'], {}, { '/c': 'include /c' })).toBe('/c:1: more than 16 files include each other');
  });
});

describe('a refusal', () => {
  it('is one line with the place, the value and what is allowed', () => {
    expect(errorOf(['--port', 'abc'])).toBe(
      `flag --port: port "abc": argument couldn't be parsed into an integer; allowed: a whole number, 0 to 65535`,
    );
    expect(errorOf([], { DISTCACHE_APPENDFSYNC: 'some\ntimes' })).toBe(
      'environment variable DISTCACHE_APPENDFSYNC: appendfsync "some\\ntimes": ' +
        'argument(s) must be one of the following: everysec, always, no; allowed: one of everysec, always, no',
    );
    expect(errorOf(['/c'], {}, { '/c': '\nport 70000' })).toBe(
      '/c:2: port "70000": argument must be between 0 and 65535 inclusive; allowed: a whole number, 0 to 65535',
    );
  });

  it('names the place inside an included file', () => {
    expect(errorOf(['/c'], {}, { '/c': '\ninclude /d', '/d': '\n\nhz x' })).toMatch(/^\/d:3: hz "x"/);
  });

  it('suggests the nearest name for an unknown one', () => {
    expect(errorOf(['--maxmemroy', '1gb'])).toBe(
      `flag --maxmemroy: unknown directive "maxmemroy"; did you mean 'maxmemory'?`,
    );
    expect(errorOf([], { DISTCACHE_MAXMEMROY: '1gb' })).toBe(
      `environment variable DISTCACHE_MAXMEMROY: names no directive; did you mean 'DISTCACHE_MAXMEMORY'?`,
    );
    expect(errorOf(['--frobnicate'])).toBe('flag --frobnicate: unknown directive "frobnicate"; see --help');
  });

  it('meets values that are missing or too many', () => {
    expect(errorOf(['--port'])).toContain('port needs a value');
    expect(errorOf(['--port', '1', '2'])).toContain('port takes one value');
    expect(errorOf(['/c'], {}, { '/c': 'timeout' })).toContain('/c:1: timeout needs a value');
    expect(errorOf(['--config'])).toBe('flag --config: takes the path of one file');
    expect(errorOf(['/a', '--config', '/b'])).toBe('flag --config: a file is named already');
    expect(errorOf(['--port', '1', '/c'])).toContain('port takes one value');
    expect(errorOf(['-x'])).toBe('argument "-x": is not a flag; see --help');
    expect(errorOf(['/c', 'lolevel', 'verbose'], {}, { '/c': '' })).toBe(
      'argument "lolevel": is not a flag; see --help',
    );
    expect(errorOf(['--port "1'])).toBe('argument "--port \\"1": has unbalanced quotes');
    expect(errorOf(['/c'], {}, { '/c': 'include' })).toBe('/c:1: include takes the path of one file');
  });

  it('meets files that cannot be read and quotes that stay open', () => {
    expect(errorOf(['/none'])).toBe('config file /none: no such file or directory');
    expect(errorOf(['/c'], {}, { '/c': 'include /none' })).toBe(
      'config file /none: no such file or directory',
    );
    expect(errorOf(['/c'], {}, { '/c': 'requirepass "abc' })).toBe(
      '/c:1: unbalanced quotes in configuration line',
    );
  });

  it('meets a maxmemory that is no bound, or that the workers cannot use', () => {
    expect(errorOf(['--maxmemory', '0'])).toBe(
      'flag --maxmemory: maxmemory "0": a cache needs a bound: 0 (no limit) is not offered, choose a size such as 1gb',
    );
    expect(errorOf(['--maxmemory', '3mb'])).toContain('between 4mb (1mb for each of 4 workers) and 32gb');
    expect(errorOf(['--maxmemory', '9gb', '--workers', '1'])).toContain(
      'and 8gb (8gb for each of 1 workers)',
    );
    expect(configOf('--maxmemory', '4mb').maxmemory).toBe(4 * MIB);
  });

  it('meets more than sixteen addresses', () => {
    expect(errorOf(['--cluster-enabled', 'yes', '--appendonly', 'no'])).toContain(
      'a node of a cluster needs `appendonly yes`',
    );
    expect(errorOf(['--bind', ...Array.from({ length: 17 }, (_, i) => `10.0.0.${i}`)])).toContain(
      'Too many bind addresses specified.',
    );
  });
});

describe('notices', () => {
  it('name what was set and changes nothing', () => {
    const { notices } = load(['--activedefrag', 'yes', '--port', '1'], { DISTCACHE_DAEMONIZE: 'yes' });
    expect(notices).toEqual([
      'environment variable DISTCACHE_DAEMONIZE: daemonize is accepted and kept, but changes nothing in this version',
      'flag --activedefrag: activedefrag is accepted and kept, but changes nothing in this version',
    ]);
  });

  it('leave out values that are the default anyway', () => {
    expect(load(['--activedefrag', 'no', '--hz', '10']).notices).toEqual([]);
  });
});

describe('user lines', () => {
  it('are kept with their places, in the order of file and flags', () => {
    const { config } = load(
      ['/c', '--user', 'eve', 'on', '(~a', '+get)'],
      {},
      {
        '/c': 'user ann on "~a b"\ninclude /d\n',
        '/d': 'USER bob >päss\n',
      },
    );
    expect(config.userSettings.map(({ place, words }) => [place, ...words])).toEqual([
      ['/c:1', 'ann', 'on', '~a b'],
      ['/d:1', 'bob', '>päss'],
      ['flag --user', 'eve', 'on', '(~a', '+get)'],
    ]);
    expect(configOf().userSettings).toEqual([]);
  });
});
