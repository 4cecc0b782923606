/**
 * From file, environment and flags to the Config that the server starts with: flags win over environment over file
 * over defaults. Main thread, at start; throws StartError with one line for the operator.
 */
import { resolve } from 'node:path';
import { type Config, createConfig } from './config.ts';
import type { Directive } from './directive.ts';
import { parseDirectiveValue, takesWords } from './directive-values.ts';
import {
  allowedValues,
  DEPRECATED_NAMES,
  DIRECTIVES,
  defaultText,
  directiveNames,
  findDirective,
} from './directives.ts';
import { helpText } from './help.ts';
import { defaultClientsBytes, defaultMaxmemoryBytes, defaultWorkers, type Machine } from './machine.ts';
import { checkAddresses, checkClusterLog, checkMaxmemoryAtStart } from './relations.ts';
import {
  configError,
  didYouMean,
  type Files,
  readConfigFile,
  readEnvironment,
  readFlags,
  type Setting,
} from './settings.ts';

/** The world around the process; a test makes its own. */
export type Surroundings = Files & { workingFolder: string; machine: Machine };

/** `notices` are lines for the log: settings that were accepted and kept, but change nothing. */
export type Loaded =
  | { kind: 'run'; config: Config; notices: string[] }
  | { kind: 'help'; text: string }
  | { kind: 'version' };

type Assigned = { text: string; setting: Setting };

/** `argv` without the program itself. Throws StartError (exit code 78). */
export function loadConfig(
  argv: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
  surroundings: Surroundings,
): Loaded {
  const flags = readFlags(argv);
  if (flags.help) return { kind: 'help', text: helpText() };
  if (flags.version) return { kind: 'version' };
  const configFile =
    flags.configPath === undefined ? undefined : resolve(surroundings.workingFolder, flags.configPath);
  const settings = configFile === undefined ? [] : readConfigFile(configFile, surroundings);
  settings.push(...readEnvironment(environment), ...flags.settings);

  const directives = settings.filter((setting) => !declaresUser(setting));
  const assigned = assignSettings(directives, surroundings.workingFolder);
  const defaultTexts = allDefaultTexts(assigned, surroundings);
  const texts = { ...defaultTexts };
  for (const [name, { text }] of assigned) texts[name] = text;
  const config = createConfig(texts, defaultTexts, configFile, settings.filter(declaresUser));
  checkRelations(config, assigned);
  return { kind: 'run', config, notices: storedNotices(config, assigned) };
}

/** Users are no directive: each line is one of them, and only the commands' side can read their rules. */
function declaresUser({ name }: Setting): boolean {
  return name.toLowerCase() === 'user';
}

/** The last setting of a directive wins; `save` adds up, and output limits merge. */
function assignSettings(settings: readonly Setting[], workingFolder: string): Map<string, Assigned> {
  const assigned = new Map<string, Assigned>();
  for (const setting of settings) {
    if (setting.source === 'file' && DEPRECATED_NAMES.includes(setting.name.toLowerCase())) continue;
    const directive = findDirective(setting.name);
    if (directive === undefined) throw unknownDirective(setting);
    const text = settingText(directive, setting);
    const earlier = assigned.get(directive.name);
    const parsed = parseDirectiveValue(directive, text, earlier?.text ?? previousText(directive));
    if ('problem' in parsed) throw badValue(directive, setting, text, parsed.problem);
    assigned.set(directive.name, { text: merged(directive, parsed.text, earlier), setting });
  }
  const folder = assigned.get('dir');
  if (folder !== undefined) folder.text = resolve(workingFolder, folder.text);
  return assigned;
}

/** What a first setting is merged into; a computed default is never merged. */
function previousText(directive: Directive): string {
  return directive.computed === undefined ? defaultText(directive) : '';
}

function settingText(directive: Directive, setting: Setting): string {
  const { words } = setting;
  const wordsMin = directive.name === 'save' ? 0 : 1;
  if (words.length < wordsMin || (words.length > 1 && !takesWords(directive))) {
    const problem = words.length === 0 ? 'needs a value' : 'takes one value';
    throw configError(setting.place, `${directive.name} ${problem}; allowed: ${allowedValues(directive)}`);
  }
  return words.join(' ');
}

function merged(directive: Directive, text: string, earlier: Assigned | undefined): string {
  const addsUp = directive.type === 'save' && earlier !== undefined && text !== '';
  return addsUp ? `${earlier.text} ${text}`.trim() : text;
}

function allDefaultTexts(
  assigned: Map<string, Assigned>,
  surroundings: Surroundings,
): Record<string, string> {
  const { machine, workingFolder } = surroundings;
  const workersDefault = defaultWorkers(machine);
  const workers = Number(assigned.get('workers')?.text ?? workersDefault);
  const texts: Record<string, string> = {
    workers: `${workersDefault}`,
    maxmemory: `${defaultMaxmemoryBytes(machine, workers)}`,
    'maxmemory-clients': `${defaultClientsBytes(machine)}`,
    dir: workingFolder,
  };
  for (const directive of DIRECTIVES) texts[directive.name] ??= defaultText(directive);
  return texts;
}

function checkRelations(config: Config, assigned: Map<string, Assigned>): void {
  const problems: [string, string | undefined][] = [
    ['maxmemory', checkMaxmemoryAtStart(config.maxmemory, config.workers)],
    ['bind', checkAddresses(config.bind)],
    ['http-bind', checkAddresses(config.httpBind)],
    ['cluster-enabled', checkClusterLog(config.clusterEnabled, config.appendonly)],
  ];
  for (const [name, problem] of problems) {
    const setting = assigned.get(name)?.setting;
    // The defaults keep the relations by themselves.
    if (problem === undefined || setting === undefined) continue;
    throw configError(setting.place, `${name} ${JSON.stringify(setting.words.join(' '))}: ${problem}`);
  }
}

function storedNotices(config: Config, assigned: Map<string, Assigned>): string[] {
  const notices: string[] = [];
  for (const [name, { text, setting }] of assigned) {
    if (findDirective(name)?.effect !== 'stored' || text === config.defaultTexts[name]) continue;
    notices.push(`${setting.place}: ${name} is accepted and kept, but changes nothing in this version`);
  }
  return notices;
}

function unknownDirective({ name, place }: Setting): Error {
  return configError(
    place,
    `unknown directive ${JSON.stringify(name)}${didYouMean(name.toLowerCase(), directiveNames())}`,
  );
}

function badValue(directive: Directive, setting: Setting, text: string, problem: string): Error {
  const value = JSON.stringify(text);
  return configError(
    setting.place,
    `${directive.name} ${value}: ${problem}; allowed: ${allowedValues(directive)}`,
  );
}
