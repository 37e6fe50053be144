import type { ByteSource } from './byteSource.js';
import type { SizeLimit } from './wholeFiles.js';

/** What lies at a path; "other" is a device, a pipe, a link to nothing or the like. */
export type FileKind = 'file' | 'folder' | 'other';

/**
 * Where checkpoints come from. A host whose files are not on a local disk brings its own; paths are
 * then whatever text it understands, such as URIs.
 */
export interface FileSystem {
  /** True where paths are those of the operating system, so that other programs find the files. */
  readonly isLocal: boolean;
  /** What lies at a path; undefined when nothing does. */
  kind(path: string): Promise<FileKind | undefined>;
  /** Tells one state of a file from another, by size and times; undefined where that is not known. */
  version(path: string): Promise<string | undefined>;
  /** Opens a file for reading by range. @throws CheckpointError */
  open(path: string): Promise<ByteSource>;
  /**
   * Reads a file whole: a regular file only, and of a larger one no more than tells that it is.
   * @throws CheckpointError NotAFile, FileTooLarge, FileNotFound, NotDownloaded or ReadFailed
   */
  read(path: string, limit: SizeLimit): Promise<Uint8Array>;
  /** Names of the entries of a folder, without its path. @throws CheckpointError */
  list(folder: string): Promise<string[]>;
  /** Path of the file `name` in a folder. `name` has no separators. */
  join(folder: string, name: string): string;
  /** Full path of the folder, and the last component, of a path. */
  split(path: string): { readonly folder: string; readonly name: string };
}

/** Opens a file for as long as it is used. */
export async function withSource<Result>(
  fileSystem: FileSystem,
  path: string,
  use: (source: ByteSource) => Promise<Result>,
): Promise<Result> {
  const source = await fileSystem.open(path);
  try {
    return await use(source);
  } finally {
    await source.close();
  }
}
