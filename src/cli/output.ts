import type { Writable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';

/** Characters given to the stream at a time; a text of any length is on its way only once. */
const PIECE_CHARACTERS = 1024 * 1024;

/**
 * Writes text and waits until the stream has taken it, so that ending the process loses nothing.
 * @param text or its parts, made as the stream takes them
 * @param signal stops between two pieces, by throwing its reason
 */
export async function writeAll(
  stream: Writable,
  text: string | Iterable<string>,
  signal?: AbortSignal,
): Promise<void> {
  let written = 0;
  for (const part of typeof text === 'string' ? [text] : text) {
    for (let start = 0; start < part.length;) {
      signal?.throwIfAborted();
      const end = endOfPiece(part, start + PIECE_CHARACTERS);
      await write(stream, part.slice(start, end));
      written += end - start;
      start = end;
      if (written < PIECE_CHARACTERS) continue;
      // Files are written at once; an interruption needs a turn to be heard.
      written = 0;
      await setImmediate();
    }
  }
}

/** Not between the halves of a character that takes two units: each piece is encoded by itself. */
function endOfPiece(text: string, end: number): number {
  const unit = text.charCodeAt(end - 1);
  return unit >= 0xd800 && unit <= 0xdbff ? end + 1 : end;
}

function write(stream: Writable, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(text, (error) => (error ? reject(error) : resolve()));
  });
}

/** True for the error of writing to a reader that has gone, such as `head`. */
export function isBrokenPipe(error: unknown): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === 'EPIPE';
}
