import type { Steps } from '../storage/slices.js';
import { SharedStrings } from './sharedStrings.js';
import { describeFound, StrictJsonError, textOf } from './strictJsonError.js';

export { StrictJsonError };

/** What the next value is, told from its first byte. */
export type JsonKind = 'object' | 'array' | 'string' | 'number' | 'boolean' | 'null';

/** Open containers that are allowed at once, the outermost included; as serde_json counts. */
const MAX_DEPTH = 127;
const MAX_U64 = 0xffff_ffff_ffff_ffffn;

/** Bytes that a long walk reads between two places where it may be interrupted. */
export const STEP_BYTES = 64 * 1024;

const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const PLUS = 0x2b;
const COMMA = 0x2c;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/**
 * Reads one JSON text by the strict standard (RFC 8259), a value at a time, over bytes that are
 * known to be UTF-8. The caller walks the structure, so it sees every key, duplicates included, and
 * every digit; nothing is built that nobody asked for. All methods throw {@link StrictJsonError}.
 */
export class StrictJsonReader {
  readonly #bytes: Uint8Array;
  #position = 0;
  #depth = 0;
  /** For each open container, whether nothing has been read in it yet. */
  readonly #fresh = new Uint8Array(MAX_DEPTH + 1);
  /** For each open container, what it was opened by. */
  readonly #opening = new Uint8Array(MAX_DEPTH + 1);
  readonly #shared = new SharedStrings();

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Byte the reader stands at, counted from the start of the text. */
  get position(): number {
    return this.#position;
  }

  /** Where the next key of the object begins if only a comma, or nothing, is before it; −1 otherwise. */
  get adjacentKey(): number {
    if (this.#fresh[this.#depth] === 1) return this.#position;
    return this.#bytes[this.#position] === COMMA ? this.#position + 1 : -1;
  }

  /** Goes on behind an entry of the object that the caller has read by itself. */
  continueBehindEntry(end: number): void {
    this.#position = end;
    this.#fresh[this.#depth] = 0;
  }

  /** Steps over white space and says what value comes next. */
  peek(): JsonKind {
    const byte = this.#skipSpace();
    switch (byte) {
      case OPEN_OBJECT:
        return 'object';
      case OPEN_ARRAY:
        return 'array';
      case QUOTE:
        return 'string';
      case 0x74:
      case 0x66:
        return 'boolean';
      case 0x6e:
        return 'null';
      default:
        if (byte === MINUS || isDigit(byte)) return 'number';
        throw this.#unexpected('a value');
    }
  }

  enterObject(): void {
    this.#enter(OPEN_OBJECT, 'an object');
  }

  enterArray(): void {
    this.#enter(OPEN_ARRAY, 'an array');
  }

  /** Key of the object's next entry, the reader then standing before its value; undefined at its end. */
  nextKey(): string | undefined {
    if (!this.#nextInContainer(CLOSE_OBJECT, '"}"')) return undefined;
    if (this.#skipSpace() !== QUOTE) throw this.#unexpected('a key in quotation marks');
    const key = this.readString();
    this.#expectColon();
    return key;
  }

  /** True when the array has another element, the reader then standing before it. */
  nextElement(): boolean {
    return this.#nextInContainer(CLOSE_ARRAY, '"]"');
  }

  /** Reads a string; escapes are resolved, lone surrogates refused. */
  readString(): string {
    const opening = this.#enterString();
    const kind = this.#toStringEnd(opening);
    const end = this.#position - 1;
    if (kind === 'ascii') {
      const known = this.#shared.find(this.#bytes, opening + 1, end);
      if (known !== undefined) return known;
    }
    const raw = textOf(this.#bytes, opening + 1, end);
    return kind === 'escaped' ? this.#unescape(raw, opening) : raw;
  }

  /** Reads an unsigned 64-bit integer literal: a number up to 2^53 − 1, a bigint above. */
  readUnsigned(): number | bigint {
    const first = this.#skipSpace();
    const start = this.#position;
    if (first === MINUS) throw this.#fail(start, 'a negative number where an unsigned one belongs');
    if (!isDigit(first)) throw this.#unexpected('an unsigned integer');
    const bytes = this.#bytes;
    let at = start;
    let value = 0;
    while (isDigit(bytes[at])) value = value * 10 + (bytes[at++] - ZERO);
    const digits = at - start;
    if (first === ZERO && digits > 1) throw this.#fail(start, 'a number with a leading zero');
    const next = bytes[at];
    if (next === DOT || next === 0x65 || next === 0x45) {
      throw this.#fail(start, 'a fraction or an exponent where an integer belongs');
    }
    this.#position = at;
    if (digits <= 15) return value;
    // 2^64 − 1 has 20 digits; converting more than that would only cost time.
    const exact = digits <= 20 ? BigInt(textOf(bytes, start, at)) : MAX_U64 + 1n;
    if (exact > MAX_U64) throw this.#fail(start, 'a number over 2^64 − 1');
    return exact <= Number.MAX_SAFE_INTEGER ? Number(exact) : exact;
  }

  readNull(): void {
    this.#literal('null');
  }

  /** Reads past one value of any kind, however large, checking its syntax all the same. */
  *skipValue(): Steps<void> {
    const outside = this.#depth;
    let yielded = this.#position;
    for (;;) {
      this.#skipScalarOrEnter();
      do {
        if (this.#depth === outside) return;
      } while (!this.#nextSkipped());
      if (this.#position - yielded > STEP_BYTES) {
        yielded = this.#position;
        yield;
      }
    }
  }

  /** Checks that nothing but white space is left. */
  end(): void {
    if (this.#skipSpace() !== undefined) throw this.#unexpected('the end of the text');
  }

  #skipScalarOrEnter(): void {
    switch (this.peek()) {
      case 'object':
        return this.enterObject();
      case 'array':
        return this.enterArray();
      case 'string':
        return this.#skipString();
      case 'number':
        return this.#skipNumber();
      case 'null':
        return this.readNull();
      case 'boolean':
        return this.#literal(this.#bytes[this.#position] === 0x74 ? 'true' : 'false');
    }
  }

  /** Goes to the next value of the innermost container; false at its end. */
  #nextSkipped(): boolean {
    if (this.#opening[this.#depth] === OPEN_ARRAY) return this.nextElement();
    if (!this.#nextInContainer(CLOSE_OBJECT, '"}"')) return false;
    if (this.#skipSpace() !== QUOTE) throw this.#unexpected('a key in quotation marks');
    this.#skipString();
    this.#expectColon();
    return true;
  }

  #expectColon(): void {
    if (this.#skipSpace() !== COLON) throw this.#unexpected('":"');
    this.#position++;
  }

  #skipSpace(): number | undefined {
    const bytes = this.#bytes;
    let byte = bytes[this.#position];
    while (byte === SPACE || byte === LF || byte === CR || byte === TAB) {
      byte = bytes[++this.#position];
    }
    return byte;
  }

  #enter(opening: number, what: string): void {
    if (this.#skipSpace() !== opening) throw this.#unexpected(what);
    if (this.#depth === MAX_DEPTH) {
      throw this.#fail(this.#position, `nesting deeper than ${MAX_DEPTH} levels`);
    }
    this.#position++;
    this.#fresh[++this.#depth] = 1;
    this.#opening[this.#depth] = opening;
  }

  #nextInContainer(closing: number, closingText: string): boolean {
    const byte = this.#skipSpace();
    const fresh = this.#fresh[this.#depth] === 1;
    if (byte === closing) {
      this.#position++;
      this.#depth--;
      return false;
    }
    if (fresh) {
      this.#fresh[this.#depth] = 0;
      return true;
    }
    if (byte !== COMMA) throw this.#unexpected(`"," or ${closingText}`);
    this.#position++;
    if (this.#skipSpace() === closing) throw this.#fail(this.#position, 'a trailing comma');
    return true;
  }

  /** Steps into a string. Returns where its quotation mark stands. */
  #enterString(): number {
    if (this.#skipSpace() !== QUOTE) throw this.#unexpected('a string');
    return this.#position++;
  }

  /** Goes to behind the end of the string that was opened at `opening`, and says what it consists of. */
  #toStringEnd(opening: number): 'ascii' | 'escaped' | 'unicode' {
    const bytes = this.#bytes;
    let at = opening + 1;
    let escaped = false;
    let ascii = true;
    for (;;) {
      const byte = bytes[at];
      if (byte === QUOTE) break;
      if (byte === undefined) throw this.#fail(opening, 'a string does not end');
      if (byte < SPACE) throw this.#fail(at, 'a control character inside a string');
      if (byte > 0x7f) ascii = false;
      if (byte === BACKSLASH) {
        escaped = true;
        at++;
      }
      at++;
    }
    this.#position = at + 1;
    return escaped ? 'escaped' : ascii ? 'ascii' : 'unicode';
  }

  #skipString(): void {
    const opening = this.#enterString();
    if (this.#toStringEnd(opening) !== 'escaped') return;
    this.#unescape(textOf(this.#bytes, opening + 1, this.#position - 1), opening);
  }

  #unescape(raw: string, opening: number): string {
    let text: string;
    try {
      text = JSON.parse(`"${raw}"`) as string;
    } catch {
      throw this.#fail(opening, 'a string with an invalid escape');
    }
    if (/\p{Surrogate}/u.test(text)) throw this.#fail(opening, 'a string with a lone surrogate');
    return text;
  }

  #skipNumber(): void {
    const bytes = this.#bytes;
    const start = this.#position;
    const digits = (): void => {
      if (!isDigit(bytes[this.#position])) throw this.#unexpected('a digit');
      while (isDigit(bytes[this.#position])) this.#position++;
    };
    if (bytes[start] === MINUS) this.#position++;
    if (bytes[this.#position] === ZERO && isDigit(bytes[this.#position + 1])) {
      throw this.#fail(start, 'a number with a leading zero');
    }
    digits();
    if (bytes[this.#position] === DOT) {
      this.#position++;
      digits();
    }
    const hasExponent = bytes[this.#position] === 0x65 || bytes[this.#position] === 0x45;
    if (hasExponent) {
      const sign = bytes[++this.#position];
      if (sign === PLUS || sign === MINUS) this.#position++;
      digits();
    }
    // Of fewer digits, only an exponent could make it too large.
    if (!hasExponent && this.#position - start < 300) return;
    if (!Number.isFinite(Number(textOf(bytes, start, this.#position)))) {
      throw this.#fail(start, 'a number out of range');
    }
  }

  #literal(word: string): void {
    this.#skipSpace();
    const end = this.#position + word.length;
    if (textOf(this.#bytes, this.#position, end) !== word) throw this.#unexpected(word);
    this.#position = end;
  }

  #unexpected(expected: string): StrictJsonError {
    return this.#fail(
      this.#position,
      `expected ${expected}, found ${describeFound(this.#bytes, this.#position)}`,
    );
  }

  #fail(position: number, reason: string): StrictJsonError {
    return new StrictJsonError(position, reason);
  }
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= NINE;
}
