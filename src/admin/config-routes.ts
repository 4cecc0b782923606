/**
 * The route of the configuration: every directive with its value, and whether that is the default. Main thread.
 */
import type { FastifyInstance } from 'fastify';
import type { Config } from '../config/config.ts';
import { DIRECTIVES } from '../config/directives.ts';
import { arraySchema, FLAG, objectSchema, TEXT } from './json-schema.ts';
import type { AdminSources } from './sources.ts';

export type ConfigRow = {
  readonly name: string;
  readonly value: string;
  readonly default: string;
  readonly differs: boolean;
  readonly mutable: boolean;
  readonly help: string;
};

/** The texts of these directives are for nobody's eyes: requirepass, masterauth and masteruser, passwords of keys. */
const SECRET_NAME = /pass$|auth$|^masteruser$/;
const SECRET_SET = '(set)';

export function routeConfig(app: FastifyInstance, { live }: AdminSources): void {
  if (live === undefined) return;
  const { config } = live.engine;
  const schema = {
    summary: 'The configuration that is in force; secrets are not shown',
    tags: ['live'],
    response: {
      200: arraySchema(
        objectSchema({ name: TEXT, value: TEXT, default: TEXT, differs: FLAG, mutable: FLAG, help: TEXT }),
      ),
    },
  };
  app.get('/v1/config', { schema, config: { command: 'config|get' } }, () => configRows(config));
}

/** All directives but the hidden ones, in the order of their names. */
export function configRows({ texts, defaultTexts }: Pick<Config, 'texts' | 'defaultTexts'>): ConfigRow[] {
  const rows = DIRECTIVES.filter(({ hidden }) => hidden !== true).map(({ name, mutable, doc }) => ({
    name,
    value: shownText(name, texts[name]),
    default: shownText(name, defaultTexts[name]),
    differs: texts[name] !== defaultTexts[name],
    mutable,
    help: doc,
  }));
  return rows.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function shownText(name: string, text: string): string {
  return text !== '' && SECRET_NAME.test(name) ? SECRET_SET : text;
}
