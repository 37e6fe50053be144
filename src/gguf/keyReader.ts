import { runAtOnce } from '../storage/slices.js';
import { readRawHeader } from './header.js';
import { HeaderCursor } from './headerCursor.js';
import { NUMBER_TYPES, STRING, type HeaderList, type KeyValues } from './keyValues.js';

/** Bounds on a list of texts. */
export interface TextListLimits {
  readonly maxItems: number;
  /** Of each text, in bytes. */
  readonly maxBytes: number;
}

/**
 * Reads values of a header by key, its long lists included: opening a model passes over those. Errors are
 * CheckpointErrors that name the key.
 */
export class KeyReader {
  private readonly keyValues: KeyValues;

  /**
   * @param header a file's beginning, its whole header included
   * @throws CheckpointError where it is no header
   */
  constructor(
    private readonly header: Uint8Array,
    private readonly fileName: string,
  ) {
    this.keyValues = runAtOnce(readRawHeader(header, header.length, fileName)).keyValues;
  }

  /** The text of a key; undefined where it is missing or something else. */
  text(key: string): string | undefined {
    const value = this.keyValues.get(key);
    return typeof value === 'string' ? value : undefined;
  }

  /** The flag of a key; undefined where it is missing or something else. */
  flag(key: string): boolean | undefined {
    const value = this.keyValues.get(key);
    return typeof value === 'boolean' ? value : undefined;
  }

  /** The number of a key; undefined where it is missing or something else. */
  number(key: string): number | undefined {
    const value = this.keyValues.get(key);
    return typeof value === 'number' ? value : undefined;
  }

  /** How many items the list of a key has; 0 where there is none. */
  count(key: string): number {
    return this.list(key)?.count ?? 0;
  }

  /** All texts of a list; undefined where the key is missing. */
  texts(key: string, { maxItems, maxBytes }: TextListLimits): string[] | undefined {
    const list = this.list(key);
    if (!list) return undefined;
    const cursor = this.cursorAt(list, key, maxItems);
    const place = placeOf(key);
    if (list.type !== STRING) cursor.fail(place, 'InvalidHeader', `it lists no texts`);
    const texts: string[] = [];
    for (let i = 0; i < list.count; i++) {
      const begin = cursor.at;
      texts.push(cursor.string(`${place}, item ${i + 1}`, true));
      const bytes = cursor.at - begin - LENGTH_BYTES;
      if (bytes > maxBytes) {
        const detail = `a text of ${bytes} bytes, over the limit of ${maxBytes}`;
        cursor.fail(`${place}, item ${i + 1}`, 'ValidationOverflow', detail);
      }
    }
    return texts;
  }

  /** All numbers of a list; undefined where the key is missing. */
  numbers(key: string, maxItems: number): Float64Array | undefined {
    const list = this.list(key);
    if (!list) return undefined;
    const cursor = this.cursorAt(list, key, maxItems);
    const place = placeOf(key);
    const type = NUMBER_TYPES.get(list.type);
    if (!type) return cursor.fail(place, 'InvalidHeader', `it lists no numbers`);
    return Float64Array.from({ length: list.count }, () => Number(type.read(cursor, place)));
  }

  private list(key: string): HeaderList | undefined {
    const value = this.keyValues.get(key);
    return typeof value === 'object' ? value : undefined;
  }

  private cursorAt({ at, count }: HeaderList, key: string, maxItems: number): HeaderCursor {
    const cursor = new HeaderCursor(this.header, this.header.length, this.fileName);
    if (count > maxItems) {
      const detail = `${count} items, over the limit of ${maxItems}`;
      cursor.fail(placeOf(key), 'ValidationOverflow', detail);
    }
    cursor.at = at;
    return cursor;
  }
}

/** Bytes of the length in front of a text. */
const LENGTH_BYTES = 8;

function placeOf(key: string): string {
  return `key "${key}"`;
}
