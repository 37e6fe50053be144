import { textOf } from './strictJsonError.js';

const MAX_CHARACTERS = 16;
const SLOTS = 64;

/** Short strings, made once: the same few keys and element types repeat in every entry of a header. */
export class SharedStrings {
  readonly #known: (string | undefined)[] = new Array<undefined>(SLOTS).fill(undefined);

  /** The ASCII text of some bytes, which were mostly seen before; undefined where it is too long to look. */
  find(bytes: Uint8Array, start: number, end: number): string | undefined {
    const length = end - start;
    if (length > MAX_CHARACTERS) return undefined;
    const slot = (bytes[start] * 7 + bytes[end - 1] + length) & (SLOTS - 1);
    const known = this.#known[slot];
    if (known?.length === length) {
      let same = 0;
      while (same < length && known.charCodeAt(same) === bytes[start + same]) same++;
      if (same === length) return known;
    }
    return (this.#known[slot] = textOf(bytes, start, end));
  }
}
