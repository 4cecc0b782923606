/** Tests of how main decides on users: one change after the other, and what the server starts with. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAclAccess } from '../../src/commands/acl-access.ts';
import { decideUsers, loadUsers } from '../../src/commands/acl-decisions.ts';
import { userLine } from '../../src/commands/acl-describe.ts';
import { sortedUsers } from '../../src/commands/acl-lines.ts';
import { TOPIC_ACL_SAVE, TOPIC_ACL_SET, type UsersChange } from '../../src/commands/acl-topics.ts';
import type { Engine } from '../../src/commands/engine.ts';
import '../../src/commands/families.ts';
import type { Config } from '../../src/config/config.ts';
import { currentSurroundings } from '../../src/config/file.ts';
import { loadConfig } from '../../src/config/load.ts';
import { createHarness } from '../support/harness.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'distcache-users-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function configWith(...flags: string[]): Config {
  const loaded = loadConfig(['--dir', folder, ...flags], {}, currentSurroundings());
  if (loaded.kind !== 'run') throw new Error('the flags ask for help');
  return loaded.config;
}

function linesOf(config: Config): string[] {
  return sortedUsers(loadUsers(config).values()).map(userLine);
}

describe('at the start', () => {
  it('there is a default user that may do everything, with the password of requirepass', () => {
    expect(linesOf(configWith())).toEqual(['user default on nopass ~* &* +@all']);
    expect(linesOf(configWith('--requirepass', 'password'))).toEqual([
      'user default on #5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8 ~* &* +@all',
    ]);
  });

  it('a line for the default user wins over requirepass', () => {
    expect(linesOf(configWith('--requirepass', 'x', '--user', 'default', 'on', 'nopass', '+get'))).toEqual([
      'user default on nopass sanitize-payload resetchannels -@all +get',
    ]);
  });

  it('acl-pubsub-default says what a user may listen to before its rules', () => {
    expect(linesOf(configWith('--acl-pubsub-default', 'allchannels', '--user', 'ann', 'on'))[0]).toBe(
      'user ann on &* -@all',
    );
  });

  it('an ACL file that is wrong, or not there, stops it', () => {
    expect(() => loadUsers(configWith('--aclfile', 'nosuch.acl'))).toThrow(
      "aclfile: Error loading ACLs, opening file 'nosuch.acl': no such file or directory",
    );
    writeFileSync(join(folder, 'bad.acl'), 'user ann +nosuch\n');
    expect(() => loadUsers(configWith('--aclfile', 'bad.acl'))).toThrow(
      "bad.acl:1: Error in applying operation '+nosuch'",
    );
  });
});

/** Main, whose threads follow a moment later than they were told, and who counts how many are told at the same time. */
function createSlowMain(flags: string[] = []) {
  const { engine } = createHarness({ flags: ['--dir', folder, ...flags] });
  const handlers = new Map<string, (payload: unknown, fromThread: number) => unknown>();
  let told = 0;
  const world = { toldAtOnce: 0 };
  const slow: Engine = {
    ...engine,
    access: createAclAccess(loadUsers(engine.config)),
    bus: {
      ...engine.bus,
      handle: (topic, handler) => void handlers.set(topic, handler),
      requestAll: async (_, payload) => {
        told += 1;
        world.toldAtOnce = Math.max(world.toldAtOnce, told);
        for (let turn = 0; turn < 3; turn += 1) await new Promise(setImmediate);
        told -= 1;
        for (const user of (payload as UsersChange).users) slow.access.users.set(user.name, user);
        return [false];
      },
    },
  };
  const decisions = decideUsers(slow);
  const ask = async (topic: string, payload: unknown) => handlers.get(topic)?.(payload, 2);
  return { world, engine: slow, decisions, ask };
}

describe('changes', () => {
  it('are decided one after the other, each on what the one before has made', async () => {
    const { engine, ask, world, decisions } = createSlowMain();
    const set = (...rules: string[]) => ask(TOPIC_ACL_SET, { name: 'u', rules, askingId: 0 });
    const answers = await Promise.all([
      set('+get'),
      set('~a'),
      set('+nosuch'),
      decisions.settle([['requirepass', 'password']]),
      set('on'),
    ]);
    expect(answers.map((answer) => Object.keys(answer ?? {})[0])).toEqual([
      'count',
      'count',
      'error',
      undefined,
      'count',
    ]);
    expect(world.toldAtOnce).toBe(1);
    expect([...engine.access.users.values()].map(userLine)).toEqual([
      expect.stringContaining('#5e884898'),
      'user u on ~a resetchannels -@all +get',
    ]);
  });

  it('of other directives concern no user', async () => {
    const { engine, decisions } = createSlowMain(['--requirepass', 'x']);
    const before = engine.access.users.get('default');
    await decisions.settle([['timeout', '7']]);
    expect(engine.access.users.get('default')).toBe(before);
  });

  it('are told to the client and the log where they cannot be saved', async () => {
    const { engine, ask } = createSlowMain();
    const lines: string[] = [];
    Object.assign(engine.log, { warning: (text: string) => void lines.push(text) });
    Object.assign(engine.config, { aclfile: 'nosuch/users.acl' });
    expect(await ask(TOPIC_ACL_SAVE, null)).toEqual({
      error:
        'ERR There was an error trying to save the ACLs. Please check the server logs for more information',
    });
    expect(lines).toEqual([expect.stringMatching(/^ACL SAVE: no such file/)]);
  });
});
