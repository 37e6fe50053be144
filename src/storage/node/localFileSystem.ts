import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { describeSystemError } from '../describeError.js';
import { CheckpointError } from '../errors.js';
import type { FileSystem } from '../fileSystem.js';
import { isDanglingLink, openLocalFile, readLocalFile, versionOf } from './localFile.js';

/** The local disk. */
export const localFileSystem: FileSystem = {
  isLocal: true,
  async kind(path) {
    try {
      const found = await stat(path);
      return found.isFile() ? 'file' : found.isDirectory() ? 'folder' : 'other';
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT' || code === 'ENOTDIR') {
        return (await isDanglingLink(path)) ? 'other' : undefined;
      }
      throw new CheckpointError(path, '', 'ReadFailed', describeSystemError(error), {
        cause: error,
      });
    }
  },
  version: async (path) => versionOf(await stat(path)),
  open: (path) => openLocalFile(path, path),
  read: (path, limit) => readLocalFile(path, path, limit),
  async list(folder) {
    try {
      return await readdir(folder);
    } catch (error) {
      throw new CheckpointError(folder, '', 'ReadFailed', describeSystemError(error), {
        cause: error,
      });
    }
  },
  join: (folder, name) => join(folder, name),
  split: (path) => ({ folder: dirname(resolve(path)), name: basename(path) }),
};
