import { constants, fstatSync, readSync, type Stats } from 'node:fs';
import { lstat, open, stat, type FileHandle } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { checkRange, type ByteSource } from '../byteSource.js';
import { describeSystemError } from '../describeError.js';
import { CheckpointError } from '../errors.js';
import type { SourceRef } from '../sourceRef.js';
import { refusePlaceholder } from '../placeholders.js';
import { refuseLarger, type SizeLimit } from '../wholeFiles.js';

/** Larger single reads are no faster, and smaller ones keep the thread pool free for others. */
const PIECE_BYTES = 4 * 1024 * 1024;

/** Without waiting: what became a pipe since it was looked at is opened at once, and refused. */
const OPEN_FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

export interface LocalFileOptions {
  /**
   * Read while the thread waits, which saves a turn through the thread pool (some 30 µs) for each
   * read. For threads that have nothing else to do.
   */
  readonly blocking?: boolean;
}

/** Tells one state of a file from another: any write to it changes its size or one of its times. */
export function versionOf({ size, mtimeMs, ctimeMs }: Stats): string {
  return `${size} ${mtimeMs} ${ctimeMs}`;
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
  const { handle, stats } = await openRegularFile(path, name);
  return new LocalFile(path, name, stats, handle, blocking);
}

/**
 * Reads a regular file to its end, and of one over the limit a byte more, whatever size it says it
 * has: files under /proc say 0, and a file may grow.
 * @param name for messages
 * @throws CheckpointError FileNotFound, NotAFile, FileTooLarge, NotDownloaded or ReadFailed
 */
export async function readLocalFile(
  path: string,
  name: string,
  limit: SizeLimit,
): Promise<Uint8Array> {
  const { handle, stats } = await openRegularFile(path, name);
  try {
    refuseLarger(name, stats.size, limit);
    let bytes = new Uint8Array(stats.size + 1);
    let filled = 0;
    for (;;) {
      const length = Math.min(PIECE_BYTES, bytes.length - filled);
      const { bytesRead } = await handle.read(bytes, filled, length, filled);
      filled += bytesRead;
      if (bytesRead === 0) {
        const whole = bytes.subarray(0, filled);
        refusePlaceholder(name, whole);
        return whole;
      }
      refuseLarger(name, filled, limit);
      if (filled < bytes.length) continue;
      const larger = new Uint8Array(Math.min(Math.max(2 * filled, 4096), limit.maxBytes + 1));
      larger.set(bytes);
      bytes = larger;
    }
  } catch (error) {
    throw await readError(path, name, error);
  } finally {
    await handle.close();
  }
}

async function openRegularFile(
  path: string,
  name: string,
): Promise<{ readonly handle: FileHandle; readonly stats: Stats }> {
  let handle: FileHandle | undefined;
  try {
    // Looked at before opening, which alone does something to some devices and pipes, and after it,
    // since only what is open stays what it is.
    refuseSpecial(name, await stat(path));
    handle = await open(path, OPEN_FLAGS);
    const stats = await handle.stat();
    refuseSpecial(name, stats);
    return { handle, stats };
  } catch (error) {
    await handle?.close();
    throw await readError(path, name, error);
  }
}

function refuseSpecial(name: string, found: Stats): void {
  if (found.isFile()) return;
  const what = found.isDirectory() ? 'a folder' : 'a device, pipe or socket';
  throw new CheckpointError(name, '', 'NotAFile', `this is ${what}, not a file`);
}

class LocalFile implements ByteSource {
  constructor(
    private readonly path: string,
    readonly name: string,
    private readonly stats: Stats,
    private readonly handle: FileHandle,
    private readonly blocking: boolean,
  ) {}

  get size(): number {
    return this.stats.size;
  }

  get ref(): SourceRef {
    const uri = pathToFileURL(resolve(this.path)).href;
    const { name, size } = this;
    return { kind: 'uri', name, uri, sizeBytes: size, version: versionOf(this.stats) };
  }

  async read(offset: number, target: Uint8Array): Promise<void> {
    checkRange(this.name, this.size, offset, target.length);
    try {
      let filled = 0;
      while (filled < target.length) {
        const length = Math.min(PIECE_BYTES, target.length - filled);
        const read = await this.#readSome(target, filled, length, offset + filled);
        if (read === 0) break;
        filled += read;
      }
      // Afterwards, so that nothing was written to the file before these bytes were read.
      this.#checkUnchanged();
      if (filled === target.length) return;
      const detail = `the disk gave no bytes at ${offset + filled} of ${this.size}`;
      throw new CheckpointError(this.name, '', 'ReadFailed', detail);
    } catch (error) {
      throw await readError(this.path, this.name, error);
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

  /** A file that is written to under its reader no longer matches its header. */
  #checkUnchanged(): void {
    // Synchronous on purpose: about a microsecond, where a turn through the thread pool costs thirty.
    const now = fstatSync(this.handle.fd);
    // Not by the time of its status, which changes when another file takes its name: what is open
    // stays what it was.
    if (now.size === this.size && now.mtimeMs === this.stats.mtimeMs) return;
    throw fileChanged(this.name, this.size, now.size, 'while it was open');
  }
}

/**
 * The error of a file that is no longer what it was.
 * @param when "since its header was read"
 */
export function fileChanged(
  name: string,
  before: number,
  now: number,
  when: string,
): CheckpointError {
  const how = now === before ? 'was changed' : now < before ? 'was cut off' : 'grew';
  const sizes = now === before ? '' : `: ${before} bytes then, ${now} now`;
  return new CheckpointError(name, '', 'FileChanged', `the file ${how} ${when}${sizes}`);
}

async function readError(path: string, name: string, error: unknown): Promise<CheckpointError> {
  if (error instanceof CheckpointError) return error;
  const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
  const rule = missing ? 'FileNotFound' : 'ReadFailed';
  const isLink = missing && (await isDanglingLink(path));
  const detail = isLink ? 'this is a link to a file that is not there' : describeSystemError(error);
  return new CheckpointError(name, '', rule, detail, { cause: error });
}

/** True for a link that leads nowhere; `path` is known not to lead to a file. */
export function isDanglingLink(path: string): Promise<boolean> {
  return lstat(path).then(
    (found) => found.isSymbolicLink(),
    () => false,
  );
}
