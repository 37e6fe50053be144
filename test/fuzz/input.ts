/** A file of an input. */
export interface Part {
  /** The file's name. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** What a reader is given: one file, or those of a folder. */
export type Input = readonly Part[];

const encoder = new TextEncoder();
const decoder = new TextDecoder();
/** Of each number in front of a name and its bytes. */
const LENGTH_BYTES = 4;

/** An input of one text. */
export function textInput(name: string, text: string): Input {
  return [{ name, bytes: encoder.encode(text) }];
}

/** The bytes of a file; none where the input lacks it. */
export function bytesOf(input: Input, name: string): Uint8Array {
  return input.find((part) => part.name === name)?.bytes ?? new Uint8Array();
}

/** The text of a file, as a reader of UTF-8 sees it. */
export function textOf(input: Input, name: string): string {
  return decoder.decode(bytesOf(input, name));
}

/** The input with other bytes in one of its files. */
export function withPart(input: Input, name: string, bytes: Uint8Array): Input {
  return input.map((part) => (part.name === name ? { name, bytes } : part));
}

/** Bytes of {@link writeInput}. */
export function sizeOf(input: Input): number {
  const sizes = input.map(
    ({ name, bytes }) => 2 * LENGTH_BYTES + encoder.encode(name).length + bytes.length,
  );
  return sizes.reduce((sum, size) => sum + size, LENGTH_BYTES);
}

/** Writes an input into memory that another thread may read even when this one hangs. */
export function writeInput(input: Input, target: Uint8Array): void {
  const view = new DataView(target.buffer, target.byteOffset);
  let at = 0;
  const put = (bytes: Uint8Array) => {
    view.setUint32(at, bytes.length);
    target.set(bytes, at + LENGTH_BYTES);
    at += LENGTH_BYTES + bytes.length;
  };
  view.setUint32(at, input.length);
  at += LENGTH_BYTES;
  for (const { name, bytes } of input) {
    put(encoder.encode(name));
    put(bytes);
  }
}
