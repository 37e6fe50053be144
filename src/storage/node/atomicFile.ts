import { open, rename, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { describeSystemError } from '../describeError.js';
import { CheckpointError } from '../errors.js';
import { refuseInputs, refuseSpecial } from './outputTarget.js';
import { endPartial, startPartial, sweepPartials } from './partialFiles.js';

export interface WriteOptions {
  /** Stops the write; it then rejects with an AbortError and leaves nothing behind. */
  readonly signal?: AbortSignal;
  /** Files that are being read for this write, or belong to those, and must survive it. */
  readonly inputs?: readonly string[];
  /** Called when all is written; what it throws keeps the file from taking its name. */
  readonly beforeRename?: () => Promise<void>;
}

/** Appends bytes to the file being written; resolves when `bytes` may be reused. */
export type Append = (bytes: Uint8Array) => Promise<void>;

/**
 * Writes a file whole or not at all: into a temporary file beside it, which takes its name at the
 * end. An existing file of that name is replaced at that moment and not before; a link is replaced,
 * not followed. Never replaces one of `options.inputs`, under whatever name or link it is given, nor
 * anything but a file. What killed runs left there is removed first.
 * @throws CheckpointError WouldOverwriteInput or WriteFailed; an AbortError when cancelled
 */
export async function writeAtomically(
  path: string,
  options: WriteOptions,
  body: (append: Append) => Promise<void>,
): Promise<void> {
  const { signal, inputs = [], beforeRename } = options;
  throwIfAborted(signal);
  await refuseSpecial(path);
  await refuseInputs(path, inputs);
  await sweepPartials(path);
  const temporary = startPartial(dirname(path));
  try {
    const handle = await telling(path, open(temporary, 'wx'));
    try {
      const append: Append = (bytes) => telling(path, appendAll(handle, bytes, signal));
      await untilAborted(signal, body(append));
      await telling(path, handle.datasync());
    } finally {
      // Waits for a write under way, so that nothing touches the file after it is gone.
      await telling(path, handle.close());
    }
    throwIfAborted(signal);
    await beforeRename?.();
    // Again, since a long job gives time enough for links to change.
    await refuseSpecial(path);
    await refuseInputs(path, inputs);
    throwIfAborted(signal);
    await telling(path, rename(temporary, path));
  } finally {
    await endPartial(temporary);
  }
}

async function appendAll(
  handle: FileHandle,
  bytes: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<void> {
  throwIfAborted(signal);
  let done = 0;
  while (done < bytes.length) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done);
    done += bytesWritten;
  }
}

/** Settles with `work`, or rejects as soon as the signal is aborted, whatever `work` then does. */
async function untilAborted(signal: AbortSignal | undefined, work: Promise<void>): Promise<void> {
  if (!signal) return work;
  let onAbort: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(abortError());
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
    work.catch(() => undefined);
  }
}

export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortError();
}

function abortError(): Error {
  const error = new Error('Cancelled');
  error.name = 'AbortError';
  return error;
}

/** System errors of the file being written, told as such. */
async function telling<Result>(path: string, work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof Error && 'syscall' in error)) throw error;
    const detail = `cannot be written: ${describeSystemError(error)}`;
    throw new CheckpointError(path, '', 'WriteFailed', detail, { cause: error });
  }
}
