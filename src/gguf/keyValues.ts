import { quoted } from '../storage/errors.js';
import { shortestSingle } from './shortestSingle.js';
import type { HeaderCursor } from './headerCursor.js';

/** A list among the values of a header. */
export interface HeaderList {
  /** What its items are, in the plural: "texts". */
  readonly what: string;
  readonly count: number;
  /** The items of a short list of numbers or flags. */
  readonly items?: readonly (number | boolean)[];
  /** Where a list of texts or numbers stands in the header: its first item. */
  readonly at: number;
  readonly type: number;
}

/** A value of a header. 64-bit numbers that are not exact as numbers are text. */
export type HeaderValue = number | boolean | string | HeaderList;

/** The values of a header by key. */
export type KeyValues = ReadonlyMap<string, HeaderValue>;

export const STRING = 8;
const ARRAY = 9;

/** Lists within lists: nobody writes them, the format has them. */
const MAX_DEPTH = 4;

/** Numbers of lists that are kept with the other values: sections and heads per layer. */
const MAX_ITEMS = 1024;

interface NumberType {
  readonly bytes: number;
  readonly what: string;
  read(cursor: HeaderCursor, place: string): number | boolean | string;
}

function plain(method: Parameters<HeaderCursor['number']>[0], bytes: number): NumberType {
  return {
    bytes,
    what: 'numbers',
    read: (cursor, place) => cursor.number(method, bytes, place),
  };
}

function wide(signed: boolean): NumberType {
  return {
    bytes: 8,
    what: 'numbers',
    read(cursor, place) {
      const value = cursor.integer64(signed, place);
      return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
    },
  };
}

/** Types of values that are no texts and no lists, by the number that stands in files. */
export const NUMBER_TYPES: ReadonlyMap<number, NumberType> = new Map([
  [0, plain('Uint8', 1)],
  [1, plain('Int8', 1)],
  [2, plain('Uint16', 2)],
  [3, plain('Int16', 2)],
  [4, plain('Uint32', 4)],
  [5, plain('Int32', 4)],
  [
    6,
    {
      ...plain('Float32', 4),
      read: (cursor, place) => shortestSingle(cursor.number('Float32', 4, place)),
    },
  ],
  [
    7,
    {
      bytes: 1,
      what: 'flags',
      read: (cursor, place) => cursor.number('Uint8', 1, place) !== 0,
    },
  ],
  [10, wide(false)],
  [11, wide(true)],
  [12, plain('Float64', 8)],
]);

/** Reads one value of a type. */
export function readValue(cursor: HeaderCursor, type: number, key: string): HeaderValue {
  const place = `key ${quoted(key)}`;
  if (type === STRING) return cursor.string(place);
  if (type === ARRAY) return readList(cursor, place, 0);
  const numbers = NUMBER_TYPES.get(type);
  if (!numbers) return cursor.fail(place, 'InvalidHeader', `there is no type ${type} of values`);
  return numbers.read(cursor, place);
}

/** Reads over a list; of short ones of numbers, the items are kept. */
function readList(cursor: HeaderCursor, place: string, depth: number): HeaderList {
  const type = cursor.number('Uint32', 4, place);
  const count = cursor.count(place, 'the number of items');
  const at = cursor.at;
  const numbers = NUMBER_TYPES.get(type);
  if (numbers) {
    cursor.need(count * numbers.bytes, place);
    if (count > MAX_ITEMS) {
      cursor.skip(count * numbers.bytes, place);
      return { what: numbers.what, count, at, type };
    }
    const items = Array.from({ length: count }, () => {
      const item = numbers.read(cursor, place);
      return typeof item === 'string' ? Number(item) : item;
    });
    return { what: numbers.what, count, items, at, type };
  }
  if (type !== STRING && type !== ARRAY) {
    return cursor.fail(place, 'InvalidHeader', `there is no type ${type} of values`);
  }
  if (depth >= MAX_DEPTH) {
    return cursor.fail(place, 'InvalidHeader', `lists are nested more than ${MAX_DEPTH} deep`);
  }
  // Each item begins with a length of 8 bytes at least, which bounds the loop by the header's size.
  cursor.need(count * 8, place);
  for (let i = 0; i < count; i++) {
    if (type === STRING) cursor.skip(cursor.count(place, 'the length of a text'), place);
    else readList(cursor, place, depth + 1);
  }
  return { what: type === STRING ? 'texts' : 'lists', count, at, type };
}
