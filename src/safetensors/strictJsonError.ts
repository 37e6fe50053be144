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

/** What stands at a position of a text, in words where a common mistake has one. */
export function describeFound(bytes: Buffer, at: number): string {
  const byte = bytes[at];
  if (byte === undefined) return 'the end of the text';
  if (byte === 0) return 'a NUL byte';
  if (byte === 0xef && bytes[at + 1] === 0xbb && bytes[at + 2] === 0xbf) return 'a byte-order mark';
  if (byte === 0x2f) return 'a comment';
  const word = /^-?(?:NaN|Infinity)/.exec(bytes.toString('latin1', at, at + 9));
  if (word) return word[0];
  if (byte > 0x20 && byte < 0x7f) return `"${String.fromCharCode(byte)}"`;
  return `byte 0x${byte.toString(16).padStart(2, '0')}`;
}
