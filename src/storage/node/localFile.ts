import { fstatSync, readSync } from 'node:fs';
import { open, stat, type FileHandle } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { checkRange, type ByteSource } from '../byteSource.js';
import { describeSystemError } from '../describeError.js';
import { CheckpointError } from '../errors.js';
import type { SourceRef } from '../sourceRef.js';

/** Larger single reads are no faster, and smaller ones keep the thread pool free for others. */
const PIECE_BYTES = 4 * 1024 * 1024;

export interface LocalFileOptions {
  /**
   * Read while the thread waits, which saves a turn through the thread pool (some 30 µs) for each
   * read. For threads that have nothing else to do.
   */
  readonly blocking?: boolean;
}

/**
 * Opens a regular file for reading only.
 * @param name for messages; the file's base name where it is left out
 * @throws CheckpointError FileNotFound, NotAFile or ReadFailed
 */
export async function openLocalFile(
  path: string,
  name = basename(path),
  { blocking = false }: LocalFileOptions = {},
): Promise<ByteSource> {
  let handle: FileHandle | undefined;
  try {
    // Looked at before opening: opening a pipe would wait for its writer.
    const found = await stat(path);
    if (!found.isFile()) {
      const what = found.isDirectory() ? 'a folder' : 'a device or pipe';
      throw new CheckpointError(name, '', 'NotAFile', `this is ${what}, not a file`);
    }
    handle = await open(path, 'r');
    return new LocalFile(path, name, (await handle.stat()).size, handle, blocking);
  } catch (error) {
    await handle?.close();
    throw readError(name, error);
  }
}

class LocalFile implements ByteSource {
  constructor(
    private readonly path: string,
    readonly name: string,
    readonly size: number,
    private readonly handle: FileHandle,
    private readonly blocking: boolean,
  ) {}

  get ref(): SourceRef {
    const uri = pathToFileURL(resolve(this.path)).href;
    return { kind: 'uri', name: this.name, uri, sizeBytes: this.size };
  }

  async read(offset: number, target: Uint8Array): Promise<void> {
    checkRange(this.name, this.size, offset, target.length);
    try {
      this.#checkUnchanged();
      let filled = 0;
      while (filled < target.length) {
        const length = Math.min(PIECE_BYTES, target.length - filled);
        const read = await this.#readSome(target, filled, length, offset + filled);
        if (read === 0) {
          this.#checkUnchanged();
          const detail = `the disk gave no bytes at ${offset + filled} of ${this.size}`;
          throw new CheckpointError(this.name, '', 'ReadFailed', detail);
        }
        filled += read;
      }
    } catch (error) {
      throw readError(this.name, error);
    }
  }

  async #readSome(
    target: Uint8Array,
    at: number,
    length: number,
    position: number,
  ): Promise<number> {
    if (this.blocking) return readSync(this.handle.fd, target, at, length, position);
    return (await this.handle.read(target, at, length, position)).bytesRead;
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

function readError(name: string, error: unknown): CheckpointError {
  if (error instanceof CheckpointError) return error;
  const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
  const rule = missing ? 'FileNotFound' : 'ReadFailed';
  return new CheckpointError(name, '', rule, describeSystemError(error), { cause: error });
}
