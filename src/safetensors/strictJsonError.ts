/** Why a text is not JSON, and where. */
export class StrictJsonError extends Error {
  override readonly name = 'StrictJsonError';

  /** @param position byte counted from the start of the text */
  constructor(
    readonly position: number,
    readonly reason: string,
  ) {
    super(`byte ${position}: ${reason}`);
  }
}

// A byte-order mark is a character of the text like any other.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** The text of a part of some UTF-8. */
export function textOf(bytes: Uint8Array, start: number, end: number): string {
  return decoder.decode(bytes.subarray(start, end));
}

/** What stands at a position of a text, in words where a common mistake has one. */
export function describeFound(bytes: Uint8Array, at: number): string {
  const byte = bytes[at];
  if (byte === undefined) return 'the end of the text';
  if (byte === 0) return 'a NUL byte';
  if (byte === 0xef && bytes[at + 1] === 0xbb && bytes[at + 2] === 0xbf) return 'a byte-order mark';
  if (byte === 0x2f) return 'a comment';
  const word = /^-?(?:NaN|Infinity)/.exec(textOf(bytes, at, at + 9));
  if (word) return word[0];
  if (byte > 0x20 && byte < 0x7f) return `"${String.fromCharCode(byte)}"`;
  return `byte 0x${byte.toString(16).padStart(2, '0')}`;
}
