import type { Writable } from 'node:stream';

/** Writes text and waits until the stream has taken it, so that ending the process loses nothing. */
export function writeAll(stream: Writable, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(text, (error) => (error ? reject(error) : resolve()));
  });
}

/** True for the error of writing to a reader that has gone, such as `head`. */
export function isBrokenPipe(error: unknown): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === 'EPIPE';
}
