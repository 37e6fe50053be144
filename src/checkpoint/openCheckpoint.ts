import type { CallOptions } from '../rpc/rpc.js';
import type { Container } from '../storage/container.js';
import { CheckpointError, listQuoted } from '../storage/errors.js';
import type { FileSystem } from '../storage/fileSystem.js';
import { runInSlices } from '../storage/slices.js';
import { WHOLE_FILES } from '../storage/wholeFiles.js';
import { CONTAINERS, containerOf } from './containers.js';
import { mergeShards } from './mergeShards.js';
import { asCheckpointError, openShard, openShards } from './shards.js';
import type { FreshCheckpoint } from './types.js';

/**
 * Opens a checkpoint: a file of tensors, an index of shards, or a model folder. Reads headers only,
 * never weights, and leaves nothing open.
 *
 * A missing or damaged shard, or one without a tensor that the index promises, becomes a problem of
 * the checkpoint, whose other shards stay usable. What makes the whole untrustworthy is thrown: a
 * malformed index, a path that leaves the folder, a tensor in two places, no readable shard at all.
 *
 * Works in slices, so that the thread answers others meanwhile, and can be cancelled.
 * @throws CheckpointError
 */
export async function openCheckpoint(
  path: string,
  fileSystem: FileSystem,
  options: CallOptions = {},
): Promise<FreshCheckpoint> {
  const entry = await findEntry(path, fileSystem);
  // A file of an unknown name is tried as the first container, whose error says what it really is.
  const { container, isIndex } = containerOf(entry) ?? { container: CONTAINERS[0], isIndex: false };
  try {
    return isIndex
      ? await openIndex(entry, container, fileSystem, options)
      : await openSingle(entry, container, fileSystem, options);
  } catch (error) {
    throw asCheckpointError(error, entry);
  }
}

/** The file that a path stands for: itself, or what a folder holds. */
async function findEntry(path: string, fileSystem: FileSystem): Promise<string> {
  const kind = await fileSystem.kind(path);
  if (kind === undefined) {
    throw new CheckpointError(path, '', 'FileNotFound', 'there is no such file or folder');
  }
  if (kind !== 'folder') return path;
  const names = (await fileSystem.list(path)).sort();
  const indexes = names.filter((name) => containerOf(name)?.isIndex === true);
  // Beside the files that a model was converted from, what it was converted to is a copy.
  const files =
    CONTAINERS.map((container) =>
      names.filter((name) => {
        const recognized = containerOf(name);
        return recognized?.container === container && !recognized.isIndex;
      }),
    ).find(({ length }) => length > 0) ?? [];
  const usual = CONTAINERS.flatMap(({ fileSuffix, indexSuffix }) => [
    ...(indexSuffix === undefined ? [] : [`model${indexSuffix}`]),
    `model${fileSuffix}`,
  ]);
  const preferred =
    usual.find((name) => names.includes(name)) ??
    (indexes.length === 1 ? indexes[0] : undefined) ??
    (indexes.length === 0 && files.length === 1 ? files[0] : undefined);
  if (preferred !== undefined) return fileSystem.join(path, preferred);
  throw undecided(path, [...indexes, ...files], names);
}

function undecided(folder: string, candidates: string[], names: string[]): CheckpointError {
  if (candidates.length > 0) {
    const detail = `the folder holds several checkpoints, name one of them: ${listQuoted(candidates)}`;
    return new CheckpointError(folder, '', 'AmbiguousFolder', detail);
  }
  const others = names.filter((name) => /\.(bin|pt|pth|ckpt|gguf|h5|npz|onnx)$/i.test(name));
  const found =
    others.length > 0 ? `; it holds weights in other formats: ${listQuoted(others)}` : '';
  const suffixes = CONTAINERS.map(({ fileSuffix }) => fileSuffix).join(' or ');
  const detail = `the folder holds no ${suffixes} file${found}`;
  return new CheckpointError(folder, '', 'NoCheckpoint', detail);
}

async function openSingle(
  path: string,
  container: Container,
  fileSystem: FileSystem,
  options: CallOptions,
): Promise<FreshCheckpoint> {
  const { folder, name } = fileSystem.split(path);
  const shard = await openShard(folder, name, container, fileSystem, options);
  const { tensors, metadata, file, configuration } = shard;
  const files = [file];
  return {
    path: file.path,
    folder,
    fileSystem,
    files,
    tensors,
    metadata,
    problems: [],
    configuration,
  };
}

async function openIndex(
  path: string,
  container: Container,
  fileSystem: FileSystem,
  options: CallOptions,
): Promise<FreshCheckpoint> {
  const { folder, name } = fileSystem.split(path);
  const bytes = await fileSystem.read(path, WHOLE_FILES.shardIndex);
  const index = await runInSlices(container.readIndex!(bytes, name), options);
  const outcomes = await openShards(folder, index.shards, container, fileSystem, options);
  const merged = await runInSlices(mergeShards(name, index, outcomes), options);
  return { path: fileSystem.join(folder, name), folder, fileSystem, ...merged };
}
