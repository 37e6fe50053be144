import { makeMemorySource } from '../../src/storage/byteSource.js';
import { CheckpointError } from '../../src/storage/errors.js';
import type { FileKind, FileSystem } from '../../src/storage/fileSystem.js';
import type { Input, Part } from './input.js';
import { promise } from './target.js';

/** The folder of an input's files. */
export const FOLDER = 'memory:/model';

/** A file system that holds the files of an input, and fails where a path leaves their folder. */
export function filesOf(input: Input): FileSystem {
  const nameOf = (path: string): string => {
    promise(path.startsWith(`${FOLDER}/`), `a path outside of the folder was asked for: ${path}`);
    const name = path.slice(FOLDER.length + 1);
    promise(
      !/[/\\]/.test(name) && name !== '..',
      `a path into another folder was asked for: ${path}`,
    );
    return name;
  };
  const find = (path: string) => input.find(({ name }) => name === nameOf(path));
  const require = (path: string): Part => {
    const part = find(path);
    if (part) return part;
    throw new CheckpointError(path, '', 'FileNotFound', 'there is no such file');
  };
  const fileSystem = {
    isLocal: false,
    kind: async (path: string): Promise<FileKind | undefined> =>
      path === FOLDER ? 'folder' : find(path) ? 'file' : undefined,
    version: async () => undefined,
    async open(path: string) {
      const { name, bytes } = require(path);
      return makeMemorySource(name, bytes);
    },
    read: async (path: string) => require(path).bytes,
    list: async () => input.map(({ name }) => name),
    join: (folder: string, name: string) => `${folder}/${name}`,
    split(path: string) {
      const cut = path.lastIndexOf('/');
      return { folder: path.slice(0, cut), name: path.slice(cut + 1) };
    },
  };
  return fileSystem;
}
