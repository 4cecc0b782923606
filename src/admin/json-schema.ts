/**
 * JSON schemas of answers, written short. Pure.
 *
 * Fastify writes an answer by its schema: what a schema does not name is left out.
 */

export type JsonSchema = Readonly<Record<string, unknown>>;

export const INTEGER: JsonSchema = { type: 'integer' };
export const NUMBER: JsonSchema = { type: 'number' };
export const TEXT: JsonSchema = { type: 'string' };
export const FLAG: JsonSchema = { type: 'boolean' };

/** An object with all of these properties. */
export function objectSchema(
  properties: Readonly<Record<string, JsonSchema>>,
  description?: string,
): JsonSchema {
  const required = Object.keys(properties);
  return { type: 'object', required, properties, ...(description === undefined ? {} : { description }) };
}

export function arraySchema(items: JsonSchema, description?: string): JsonSchema {
  return { type: 'array', items, ...(description === undefined ? {} : { description }) };
}

/** The same schema for each name. */
export function sameSchema(schema: JsonSchema, names: readonly string[]): Record<string, JsonSchema> {
  return Object.fromEntries(names.map((name) => [name, schema]));
}

/** A whole number in a query, with what it is when it is not given. */
export function countSchema(most: number, preset: number): JsonSchema {
  return { type: 'integer', minimum: 1, maximum: most, default: preset };
}
