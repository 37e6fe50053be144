import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeMemorySource } from '../../src/storage/byteSource.js';
import type { FileSystem } from '../../src/storage/fileSystem.js';

/** A file system in memory, as a virtual workspace has it, and how often each file was opened. */
export interface MemoryFileSystem extends FileSystem {
  readonly opened: ReadonlyMap<string, number>;
}

const ROOT = 'memory:/model';

/** Copies a folder from the disk; its path is then "memory:/model". */
export async function memoryCopyOf(folder: string): Promise<MemoryFileSystem> {
  const files: Record<string, Uint8Array> = {};
  for (const name of await readdir(folder)) files[name] = await readFile(join(folder, name));
  return memoryFiles(files);
}

/** A folder "memory:/model" of these files. */
export function memoryFiles(contents: Readonly<Record<string, Uint8Array>>): MemoryFileSystem {
  const files = new Map<string, Uint8Array>(
    Object.entries(contents).map(([name, bytes]) => [`${ROOT}/${name}`, bytes]),
  );
  const opened = new Map<string, number>();
  return {
    opened,
    isLocal: false,
    kind: async (path) => (path === ROOT ? 'folder' : files.has(path) ? 'file' : undefined),
    version: async () => undefined,
    open: async (path) => {
      opened.set(path, (opened.get(path) ?? 0) + 1);
      return makeMemorySource(path.slice(ROOT.length + 1), files.get(path)!);
    },
    read: async (path) => {
      opened.set(path, (opened.get(path) ?? 0) + 1);
      return files.get(path)!;
    },
    list: async () => [...files.keys()].map((path) => path.slice(ROOT.length + 1)),
    join: (at, name) => `${at}/${name}`,
    split: (path) => {
      const cut = path.lastIndexOf('/');
      return { folder: path.slice(0, cut), name: path.slice(cut + 1) };
    },
  };
}

/** A file system that counts how often each file of it is opened or read. */
export function countingOpens(fileSystem: FileSystem): {
  readonly fileSystem: FileSystem;
  readonly opened: ReadonlyMap<string, number>;
} {
  const opened = new Map<string, number>();
  const count = (path: string) => {
    const { name } = fileSystem.split(path);
    opened.set(name, (opened.get(name) ?? 0) + 1);
  };
  const counting: FileSystem = {
    ...fileSystem,
    open(path) {
      count(path);
      return fileSystem.open(path);
    },
    read(path, limit) {
      count(path);
      return fileSystem.read(path, limit);
    },
  };
  return { fileSystem: counting, opened };
}
