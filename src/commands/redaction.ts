/**
 * Which arguments of a command are secrets, never to be shown to anyone but the command itself.
 *
 * Pure; any thread.
 */
import { argumentText, isWord } from './arguments.ts';
import type { Call } from './call.ts';

/** What is shown in place of a secret, as by redis-server. */
export const REDACTED = '(redacted)';

/** The directives that redis-server holds secret. */
const SECRET_DIRECTIVES = [
  'requirepass',
  'masterauth',
  'masteruser',
  'tls-key-file-pass',
  'tls-client-key-file-pass',
];

/**
 * Whether argument `index` of the command that is executed is a secret: users and passwords of AUTH and HELLO, all that
 * ACL SETUSER says of a user, and directives in CONFIG SET. Those of redis-server, and also where the command around them is malformed: somebody meant them
 * to be secrets.
 */
export function isSecretArgument(call: Call, index: number): boolean {
  switch (call.command.spec.name) {
    case 'auth':
      return index > 0;
    case 'hello':
      return (index > 1 && isWord(call, index - 1, 'AUTH')) || (index > 2 && isWord(call, index - 2, 'AUTH'));
    case 'acl|setuser':
      return index > 1;
    case 'config|set':
      return index > 2 && index % 2 === 1 && isSecretDirective(argumentText(call, index - 1));
    default:
      return false;
  }
}

function isSecretDirective(name: string): boolean {
  return SECRET_DIRECTIVES.includes(name.toLowerCase());
}
