import { fstatSync } from 'node:fs';
import { open, stat, type FileHandle } from 'node:fs/promises';
import { basename } from 'node:path';
import { CheckpointError, systemReason } from './errors.js';

/** Bytes that can be read by range: a file on disk, in memory, or wherever a host keeps it. */
export interface ByteSource {
  /** Name for messages. */
  readonly name: string;
  /** Size in bytes when it was opened. */
  readonly size: number;
  /**
   * Fills `target`, which may lie in shared memory, with the bytes from `offset` on. Several reads
   * may run at once.
   * @throws CheckpointError when the bytes are not there or cannot be read; `target` is then undefined
   */
  read(offset: number, target: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/** Larger single reads are no faster, and smaller ones keep the thread pool free for others. */
const PIECE_BYTES = 4 * 1024 * 1024;

/** A source over bytes in memory. */
export function memorySource(name: string, bytes: Uint8Array): ByteSource {
  return {
    name,
    size: bytes.length,
    async read(offset, target) {
      checkRange(name, bytes.length, offset, target.length);
      target.set(bytes.subarray(offset, offset + target.length));
    },
    async close() {},
  };
}

/**
 * Opens a regular file for reading only.
 * @param name for messages; the file's base name where it is left out
 * @throws CheckpointError FileNotFound, NotAFile or ReadFailed
 */
export async function openFile(path: string, name = basename(path)): Promise<ByteSource> {
  let handle: FileHandle | undefined;
  try {
    // Looked at before opening: opening a pipe would wait for its writer.
    const found = await stat(path);
    if (!found.isFile()) {
      const what = found.isDirectory() ? 'a folder' : 'a device or pipe';
      throw new CheckpointError(name, '', 'NotAFile', `this is ${what}, not a file`);
    }
    handle = await open(path, 'r');
    return new FileSource(name, (await handle.stat()).size, handle);
  } catch (error) {
    await handle?.close();
    throw readError(name, error);
  }
}

class FileSource implements ByteSource {
  constructor(
    readonly name: string,
    readonly size: number,
    readonly handle: FileHandle,
  ) {}

  async read(offset: number, target: Uint8Array): Promise<void> {
    checkRange(this.name, this.size, offset, target.length);
    try {
      this.#checkUnchanged();
      let filled = 0;
      while (filled < target.length) {
        const length = Math.min(PIECE_BYTES, target.length - filled);
        const { bytesRead } = await this.handle.read(target, filled, length, offset + filled);
        if (bytesRead === 0) {
          this.#checkUnchanged();
          const detail = `the disk gave no bytes at ${offset + filled} of ${this.size}`;
          throw new CheckpointError(this.name, '', 'ReadFailed', detail);
        }
        filled += bytesRead;
      }
    } catch (error) {
      throw readError(this.name, error);
    }
  }

  close(): Promise<void> {
    return this.handle.close();
  }

  /** A file that grows or shrinks under its reader no longer matches its header. */
  #checkUnchanged(): void {
    // Synchronous on purpose: about a microsecond, where a turn through the thread pool costs thirty.
    const { size } = fstatSync(this.handle.fd);
    if (size === this.size) return;
    const how = size < this.size ? 'was cut off' : 'grew';
    const detail = `the file ${how} while it was open: ${this.size} bytes then, ${size} now`;
    throw new CheckpointError(this.name, '', 'FileChanged', detail);
  }
}

function checkRange(name: string, size: number, offset: number, length: number): void {
  if (Number.isSafeInteger(offset) && offset >= 0 && offset + length <= size) return;
  const detail = `bytes ${offset} to ${offset + length} were asked for, the file has ${size}`;
  throw new CheckpointError(name, '', 'ReadBeyondEnd', detail);
}

function readError(name: string, error: unknown): CheckpointError {
  if (error instanceof CheckpointError) return error;
  const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
  const rule = missing ? 'FileNotFound' : 'ReadFailed';
  return new CheckpointError(name, '', rule, systemReason(error), { cause: error });
}
