/** GPT-2's character for each byte: itself where it can be seen, else the next of those from 256 on. */
export const BYTE_CHARACTERS: readonly string[] = makeByteCharacters();

function makeByteCharacters(): string[] {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const seen =
      (byte >= 0x21 && byte <= 0x7e) ||
      (byte >= 0xa1 && byte <= 0xac) ||
      (byte >= 0xae && byte <= 0xff);
    return String.fromCharCode(seen ? byte : next++);
  });
}

const encoder = new TextEncoder();

/** A text's UTF-8 bytes, a character each. */
export function bytesAsCharacters(text: string): string {
  return charactersOf(encoder.encode(text));
}

/** Bytes, a character each. */
export function charactersOf(bytes: Uint8Array): string {
  let result = '';
  for (const byte of bytes) result += BYTE_CHARACTERS[byte];
  return result;
}
