/** The collections that are compared: how a server is filled with each, in requests of many elements. */
import { requestText, sendMany } from './client.ts';

/** One shape of contents. `requests` of them hold `elements` altogether. */
export type CollectionKind = {
  readonly name: string;
  readonly contents: string;
  readonly elements: number;
  readonly requests: number;
  readonly requestOf: (index: number) => string;
};

/** So that a request stays below what `sendMany` takes. */
const ELEMENTS_PER_REQUEST = 40;
const SMALL_FIELDS = ['name', 'city', 'visits', 'created', 'score'];
/** Elements come in an order without pattern: steps of a prime that divides no number of elements in use. */
const STEP = 7_919;
const INTEGER_FIRST = 10_000_000;

type Contents = 'text' | 'integers';

/** A million small hashes, and one collection of a million elements of each type; each with texts and with integers. */
export function collectionKinds(elements: number): CollectionKind[] {
  return (['text', 'integers'] as const).flatMap((contents) => [
    smallHashes(contents, elements),
    large('hash', contents, elements),
    large('set', contents, elements),
    large('zset', contents, elements),
    large('list', contents, elements),
  ]);
}

/** Fills a server; afterwards the large ones are under the names of their types. */
export async function fillCollection(port: number, { requests, requestOf }: CollectionKind): Promise<void> {
  await sendMany(port, requests, (target, at, index) => at + target.write(requestOf(index), at, 'latin1'));
}

/** The element `index` of `elements`, of 15 bytes as text, of 8 digits as an integer. */
export function elementText(contents: Contents, index: number, elements: number): string {
  const place = placeOf(index, elements);
  return contents === 'text' ? `element-${String(place).padStart(7, '0')}` : String(INTEGER_FIRST + place);
}

function smallHashes(contents: Contents, elements: number): CollectionKind {
  const textOf = (index: number, field: number) =>
    contents === 'text'
      ? `value-${String(index + field).padStart(8, '0')}`
      : String(INTEGER_FIRST + index + field);
  return {
    name: 'small hashes of 5',
    contents,
    elements,
    requests: elements,
    requestOf: (index) =>
      requestText([
        'HSET',
        `user:${String(index).padStart(7, '0')}`,
        ...SMALL_FIELDS.flatMap((name, field) => [name, textOf(index, field)]),
      ]),
  };
}

function large(type: string, contents: Contents, elements: number): CollectionKind {
  const requests = Math.ceil(elements / ELEMENTS_PER_REQUEST);
  return {
    name: `one ${type}`,
    contents,
    elements,
    requests,
    requestOf: (request) => {
      const first = request * ELEMENTS_PER_REQUEST;
      const count = Math.min(ELEMENTS_PER_REQUEST, elements - first);
      const words = Array.from({ length: count }, (_, at) => wordsOf(type, contents, first + at, elements));
      return requestText([COMMANDS[type], type, ...words.flat()]);
    },
  };
}

const COMMANDS: Readonly<Record<string, string>> = { hash: 'HSET', set: 'SADD', zset: 'ZADD', list: 'RPUSH' };

function wordsOf(type: string, contents: Contents, index: number, elements: number): string[] {
  const element = elementText(contents, index, elements);
  if (type === 'hash') return [element, elementText(contents, index + 1, elements)];
  return type === 'zset' ? [String(placeOf(index * 3, elements)), element] : [element];
}

function placeOf(index: number, elements: number): number {
  return (index * STEP) % elements;
}
