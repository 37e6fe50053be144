/**
 * Numbers that JSON cannot hold, made safe for channels that serialise with JSON (messages between
 * the extension host and a webview are: NaN and ±Infinity would arrive as null).
 *
 * NaN, Infinity and −Infinity travel as `{ "$number": "NaN" }` and so on. An object of the sender's
 * that happens to own a key `$number` or `$object` travels wrapped, as `{ "$object": {…} }`, so that
 * nothing a file contains (metadata keys, say) can be mistaken for an encoded number.
 */

const NUMBER_KEY = '$number';
const OBJECT_KEY = '$object';

/** What may stand for a number; the other side may send anything. */
const NUMBERS: ReadonlyMap<unknown, number> = new Map(
  [NaN, Infinity, -Infinity].map((number) => [String(number), number]),
);

/** Replaces non-finite numbers in plain data by their wire form. Shares what needs no change. */
export function encodeNumbers(value: unknown): unknown {
  if (typeof value === 'number') {
    return Number.isFinite(value) ? value : { [NUMBER_KEY]: String(value) };
  }
  if (Array.isArray(value)) return mapArray(value, encodeNumbers);
  if (!isPlainObject(value)) return value;
  const encoded = mapObject(value, encodeNumbers);
  return hasOwn(value, NUMBER_KEY) || hasOwn(value, OBJECT_KEY)
    ? { [OBJECT_KEY]: encoded }
    : encoded;
}

/** The inverse of {@link encodeNumbers}. */
export function decodeNumbers(value: unknown): unknown {
  if (Array.isArray(value)) return mapArray(value, decodeNumbers);
  if (!isPlainObject(value)) return value;
  if (hasOwn(value, OBJECT_KEY) && isPlainObject(value[OBJECT_KEY])) {
    return mapObject(value[OBJECT_KEY], decodeNumbers);
  }
  const number = NUMBERS.get(value[NUMBER_KEY]);
  if (number !== undefined) return number;
  return mapObject(value, decodeNumbers);
}

function mapArray(array: readonly unknown[], map: (value: unknown) => unknown): readonly unknown[] {
  let changed: unknown[] | undefined;
  for (let i = 0; i < array.length; i++) {
    const mapped = map(array[i]);
    if (!Object.is(mapped, array[i])) changed ??= array.slice();
    if (changed) changed[i] = mapped;
  }
  return changed ?? array;
}

function mapObject(
  object: Readonly<Record<string, unknown>>,
  map: (value: unknown) => unknown,
): Readonly<Record<string, unknown>> {
  const keys = Object.keys(object);
  // Made where something changes only: there may be a hundred thousand objects, and few have numbers to encode.
  let changed: [string, unknown][] | undefined;
  keys.forEach((key, i) => {
    const mapped = map(object[key]);
    if (!changed && Object.is(mapped, object[key])) return;
    changed ??= keys.slice(0, i).map((before) => [before, object[before]]);
    changed.push([key, mapped]);
  });
  // fromEntries defines own properties, so a key "__proto__" stays a key.
  return changed ? Object.fromEntries(changed) : object;
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return false;
  return Object.prototype.toString.call(value) === '[object Object]';
}

function hasOwn(object: object, key: string): boolean {
  return Object.prototype.hasOwnProperty.call(object, key);
}
