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
  let result = '';
  for (const byte of encoder.encode(text)) result += BYTE_CHARACTERS[byte];
  return result;
}
