/** Checks of directives that are free text, in redis-server's words. Pure; any thread. */

const HOST_NAME_CHARACTERS_MAX = 255;
const TITLE_VARIABLES = [
  '{title}',
  '{listen-addr}',
  '{server-mode}',
  '{port}',
  '{tls-port}',
  '{unixsocket}',
  '{config-file}',
];

export function checkSnapshotFileName(text: string): string | undefined {
  return isBaseName(text) ? undefined : "dbfilename can't be a path, just a filename";
}

export function checkAppendFileName(text: string): string | undefined {
  if (text === '') return "appendfilename can't be empty";
  return isBaseName(text) ? undefined : "appendfilename can't be a path, just a filename";
}

export function checkAppendFolderName(text: string): string | undefined {
  if (text === '') return "appenddirname can't be empty";
  return isBaseName(text) ? undefined : "appenddirname can't be a path, just a dirname";
}

export function checkHostName(text: string): string | undefined {
  if (text.length > HOST_NAME_CHARACTERS_MAX) {
    return `Hostnames must be less than ${HOST_NAME_CHARACTERS_MAX + 1} characters`;
  }
  if (/^[A-Za-z0-9.-]*$/.test(text)) return undefined;
  return 'Hostnames may only contain alphanumeric characters, hyphens or dots';
}

/** Every `{...}` has to be a variable that is known; a brace that stays open is a mistake too, and so is no title. */
export function checkTitleTemplate(text: string): string | undefined {
  const rest = TITLE_VARIABLES.reduce((left, variable) => left.replaceAll(variable, ''), text);
  return text === '' || rest.includes('{')
    ? 'template format is invalid or contains unknown variables'
    : undefined;
}

function isBaseName(text: string): boolean {
  return !text.includes('/') && !text.includes('\\');
}
