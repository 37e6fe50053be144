import type { Container } from '../storage/container.js';
import { CheckpointError, listQuoted, describeSystemError } from '../storage/errors.js';
import { withSource, type FileSystem } from '../storage/fileSystem.js';
import { WHOLE_FILES } from '../storage/wholeFiles.js';
import { CONTAINERS, containerOf } from './containers.js';
import { mergeShards, type OpenedShard, type ShardOutcome } from './shards.js';
import type { Checkpoint } from './types.js';

/** Shards whose headers are read at once. */
const SHARDS_AT_ONCE = 8;

/**
 * Opens a checkpoint: a file of tensors, an index of shards, or a model folder. Reads headers only,
 * never weights, and leaves nothing open.
 *
 * A missing or damaged shard, or one without a tensor that the index promises, becomes a problem of
 * the checkpoint, whose other shards stay usable. What makes the whole untrustworthy is thrown: a
 * malformed index, a path that leaves the folder, a tensor in two places, no readable shard at all.
 * @throws CheckpointError
 */
export async function openCheckpoint(path: string, fileSystem: FileSystem): Promise<Checkpoint> {
  const entry = await findEntry(path, fileSystem);
  // A file of an unknown name is tried as the first container, whose error says what it really is.
  const { container, isIndex } = containerOf(entry) ?? { container: CONTAINERS[0], isIndex: false };
  try {
    return isIndex
      ? await openIndex(entry, container, fileSystem)
      : await openSingle(entry, container, fileSystem);
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
  const files = names.filter((name) => containerOf(name)?.isIndex === false);
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
): Promise<Checkpoint> {
  const { folder, name } = fileSystem.split(path);
  const { tensors, metadata, file } = await openShard(folder, name, container, fileSystem);
  return { path: file.path, folder, fileSystem, files: [file], tensors, metadata, problems: [] };
}

async function openIndex(
  path: string,
  container: Container,
  fileSystem: FileSystem,
): Promise<Checkpoint> {
  const { folder, name } = fileSystem.split(path);
  const index = container.readIndex!(await fileSystem.read(path, WHOLE_FILES.shardIndex), name);
  const shardNames = [...index.shards.keys()];
  const outcomes = await mapInOrder(shardNames, SHARDS_AT_ONCE, (shard) =>
    tryShard(folder, shard, container, fileSystem),
  );
  const merged = mergeShards(name, index, outcomes);
  return { path: fileSystem.join(folder, name), folder, fileSystem, ...merged };
}

async function tryShard(
  folder: string,
  shard: string,
  container: Container,
  fileSystem: FileSystem,
): Promise<ShardOutcome> {
  try {
    if ((await fileSystem.kind(fileSystem.join(folder, shard))) === undefined) {
      return { shard, missing: true };
    }
    return { shard, opened: await openShard(folder, shard, container, fileSystem) };
  } catch (error) {
    return { shard, error: asCheckpointError(error, shard) };
  }
}

async function openShard(
  folder: string,
  name: string,
  container: Container,
  fileSystem: FileSystem,
): Promise<OpenedShard> {
  const path = fileSystem.join(folder, name);
  return withSource(fileSystem, path, async (opened) => {
    const { tensors, metadata, headerBytes } = await container.readHeader(opened, name);
    const source = opened.ref;
    const file = { name, path, sizeBytes: opened.size, headerBytes, source };
    return { file, metadata, tensors: tensors.map((tensor) => ({ ...tensor, source })) };
  });
}

/** Whatever a host's file system throws, told as an error of the file. */
function asCheckpointError(error: unknown, file: string): CheckpointError {
  if (!(error instanceof CheckpointError)) {
    return new CheckpointError(file, '', 'ReadFailed', describeSystemError(error), {
      cause: error,
    });
  }
  return error.inFile(file);
}

async function mapInOrder<Item, Result>(
  items: readonly Item[],
  atOnce: number,
  map: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < items.length) {
      const at = next++;
      results[at] = await map(items[at]);
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, work));
  return results;
}
