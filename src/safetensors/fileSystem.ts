import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { openFile, type ByteSource } from './byteSource.js';
import { CheckpointError, systemReason } from './errors.js';

/**
 * Where checkpoints come from. A host whose files are not on a local disk brings its own; paths are
 * then whatever text it understands, such as URIs.
 */
export interface CheckpointFileSystem {
  /** What lies at a path; undefined when nothing does. "other" is a device, a pipe or the like. */
  kind(path: string): Promise<'file' | 'folder' | 'other' | undefined>;
  /** Opens a file for reading by range. @throws CheckpointError */
  open(path: string): Promise<ByteSource>;
  /** Names of the entries of a folder, without its path. @throws CheckpointError */
  list(folder: string): Promise<string[]>;
  /** Path of the file `name` in a folder. `name` has no separators. */
  join(folder: string, name: string): string;
  /** Full path of the folder, and the last component, of a path. */
  split(path: string): { readonly folder: string; readonly name: string };
}

/** The local disk. */
export const nodeFileSystem: CheckpointFileSystem = {
  async kind(path) {
    try {
      const found = await stat(path);
      return found.isFile() ? 'file' : found.isDirectory() ? 'folder' : 'other';
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
      throw new CheckpointError(path, '', 'ReadFailed', systemReason(error), { cause: error });
    }
  },
  open: (path) => openFile(path, path),
  async list(folder) {
    try {
      return await readdir(folder);
    } catch (error) {
      throw new CheckpointError(folder, '', 'ReadFailed', systemReason(error), { cause: error });
    }
  },
  join: (folder, name) => join(folder, name),
  split: (path) => ({ folder: dirname(resolve(path)), name: basename(path) }),
};
