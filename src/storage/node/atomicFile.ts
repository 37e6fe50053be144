import { randomBytes } from 'node:crypto';
import { open, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { describeSystemError } from '../describeError.js';
import { CheckpointError, quoted } from '../errors.js';

export interface WriteOptions {
  /** Stops the write; it then rejects with an AbortError and leaves nothing behind. */
  readonly signal?: AbortSignal;
  /** Files that are being read for this write and must survive it. */
  readonly inputs?: readonly string[];
}

/** Appends bytes to the file being written; resolves when `bytes` may be reused. */
export type Append = (bytes: Uint8Array) => Promise<void>;

/**
 * Writes a file whole or not at all: into a temporary file beside it, which takes its name at the
 * end. An existing file of that name is replaced at that moment and not before; a link is replaced,
 * not followed. Never replaces one of `options.inputs`, under whatever name or link it is given.
 * @throws CheckpointError WouldOverwriteInput or WriteFailed; an AbortError when cancelled
 */
export async function writeAtomically(
  path: string,
  options: WriteOptions,
  body: (append: Append) => Promise<void>,
): Promise<void> {
  const { signal, inputs = [] } = options;
  throwIfAborted(signal);
  await refuseTarget(path, inputs);
  const temporary = join(dirname(path), `.quantscope-${randomBytes(6).toString('hex')}.partial`);
  const handle = await telling(path, open(temporary, 'wx'));
  try {
    try {
      const append: Append = (bytes) => telling(path, appendAll(handle, bytes, signal));
      await untilAborted(signal, body(append));
      await telling(path, handle.datasync());
    } finally {
      // Waits for a write under way, so that nothing touches the file after it is gone.
      await telling(path, handle.close());
    }
    throwIfAborted(signal);
    // Again, since a long job gives time enough for links to change.
    await refuseTarget(path, inputs);
    await telling(path, rename(temporary, path));
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
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

/** Refuses to replace a folder or an input. */
async function refuseTarget(path: string, inputs: readonly string[]): Promise<void> {
  const target = await identity(path);
  if (target === undefined) return;
  if (target.isFolder) {
    throw new CheckpointError(path, '', 'WriteFailed', 'this is a folder; name a file in it');
  }
  for (const input of inputs) {
    if ((await identity(input))?.key !== target.key) continue;
    const same = path === input ? '' : `, which is ${quoted(basename(input))}`;
    const detail = `this is an input of the job${same}; choose another name for the output`;
    throw new CheckpointError(path, '', 'WouldOverwriteInput', detail);
  }
}

/** Tells whether two paths are the same file, through links and on case-insensitive disks; undefined if absent. */
async function identity(path: string): Promise<{ key: string; isFolder: boolean } | undefined> {
  try {
    const found = await stat(path, { bigint: true });
    return { key: `${found.dev}:${found.ino}`, isFolder: found.isDirectory() };
  } catch {
    return undefined;
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
