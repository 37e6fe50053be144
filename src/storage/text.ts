import type { Steps } from './slices.js';
import { CheckpointError } from './errors.js';

const CHECKED_AT_ONCE = 1 << 20;

/** True when bytes are well-formed UTF-8. Looks at a piece at a time, whatever their length. */
export function* isUtf8(bytes: Uint8Array): Steps<boolean> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  try {
    for (let done = 0; done < bytes.length; done += CHECKED_AT_ONCE) {
      decoder.decode(bytes.subarray(done, done + CHECKED_AT_ONCE), { stream: true });
      yield;
    }
    decoder.decode();
    return true;
  } catch {
    return false;
  }
}

/** The text of a file. @throws CheckpointError NotUtf8 */
export function decodeText(file: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new CheckpointError(file, '', 'NotUtf8', 'this is not UTF-8 text', { cause: error });
  }
}
