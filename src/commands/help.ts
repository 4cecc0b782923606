/**
 * The answer to a container's HELP, in redis-server's form, and to what HELP does not tell of.
 *
 * Pure; any thread.
 */
import { writeArray, writeError, writeSimple } from '../resp/reply-writer.ts';
import { argumentText } from './arguments.ts';
import type { Call } from './call.ts';

/** Names are quoted in errors up to this, as redis-server does. */
const QUOTED_CHARACTERS_MAX = 128;

const LAST_LINES = ['HELP', '    Prints this help.'];

/** `lines` tell of every subcommand but HELP: what one writes, then indented by four spaces what it does. */
export function replyHelp({ command, reply }: Call, lines: readonly string[]): void {
  writeArray(reply, 1 + lines.length + LAST_LINES.length);
  writeSimple(
    reply,
    `${containerName(command.spec.name)} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:`,
  );
  for (const line of lines) writeSimple(reply, line);
  for (const line of LAST_LINES) writeSimple(reply, line);
}

/** The error for a subcommand that no row and no handler knows. */
export function unknownSubcommandText(name: string, container: string): string {
  return `ERR unknown subcommand '${quoted(name)}'. Try ${container} HELP.`;
}

/** For a subcommand that the handler itself does not know, or with arguments that it does not take. */
export function replyUnknownSubcommand(call: Call): void {
  const name = quoted(argumentText(call, 1));
  const container = containerName(call.command.spec.name);
  writeError(
    call.reply,
    `ERR unknown subcommand or wrong number of arguments for '${name}'. Try ${container} HELP.`,
  );
}

/** As C prints a string: up to a NUL. */
function quoted(name: string): string {
  return name.split('\0', 1)[0].slice(0, QUOTED_CHARACTERS_MAX);
}

function containerName(commandName: string): string {
  return commandName.split('|', 1)[0].toUpperCase();
}
