/** Tests of which arguments are secrets. */
import { expect, it } from 'vitest';
import { isSecretArgument } from '../../src/commands/redaction.ts';
import { createHarness } from '../support/harness.ts';
import { callOf } from '../support/timed-commands.ts';

const harness = createHarness();

/** The arguments with secrets as `*`. */
function shown(...args: string[]): string {
  const call = callOf(harness, args);
  return args.map((arg, index) => (isSecretArgument(call, index) ? '*' : arg)).join(' ');
}

it('hides users and passwords of AUTH and HELLO', () => {
  expect(shown('AUTH', 'p')).toBe('AUTH *');
  expect(shown('auth', 'u', 'p')).toBe('auth * *');
  expect(shown('HELLO', '3', 'AUTH', 'u', 'p')).toBe('HELLO 3 AUTH * *');
  expect(shown('hello', '3', 'setname', 'n', 'auth', 'u', 'p')).toBe('hello 3 setname n auth * *');
  expect(shown('HELLO', '3', 'AUTH', 'u', 'p', 'SETNAME', 'n')).toBe('HELLO 3 AUTH * * SETNAME n');
  expect(shown('HELLO')).toBe('HELLO');
  expect(shown('HELLO', 'auth')).toBe('HELLO auth');
});

it('hides the values of secret directives, and of no others', () => {
  expect(shown('CONFIG', 'SET', 'requirepass', 'p')).toBe('CONFIG SET requirepass *');
  expect(shown('config', 'set', 'maxmemory', '1', 'MasterAuth', 'p', 'masteruser', 'u')).toBe(
    'config set maxmemory 1 MasterAuth * masteruser *',
  );
  expect(shown('CONFIG', 'SET', 'tls-key-file-pass', 'p', 'TLS-client-key-file-pass', 'q')).toBe(
    'CONFIG SET tls-key-file-pass * TLS-client-key-file-pass *',
  );
  expect(shown('CONFIG', 'SET', 'maxmemory', 'requirepass', 'port', '1')).toBe(
    'CONFIG SET maxmemory requirepass port 1',
  );
  expect(shown('CONFIG', 'GET', 'requirepass', 'port')).toBe('CONFIG GET requirepass port');
});

it('hides what was meant to be secret in a malformed command', () => {
  expect(shown('AUTH', 'a', 'b', 'c')).toBe('AUTH * * *');
  expect(shown('HELLO', 'x', 'AUTH', 'u', 'p')).toBe('HELLO x AUTH * *');
  expect(shown('HELLO', '3', 'AUTH', 'p')).toBe('HELLO 3 AUTH *');
  expect(shown('HELLO', 'AUTH', 'u', 'p', 'x')).toBe('HELLO AUTH * * x');
  expect(shown('CONFIG', 'SET', 'requirepass', 'p', 'port')).toBe('CONFIG SET requirepass * port');
});

it('hides nothing of other commands', () => {
  expect(shown('SET', 'requirepass', 'p')).toBe('SET requirepass p');
  expect(shown('ECHO', 'AUTH')).toBe('ECHO AUTH');
});
