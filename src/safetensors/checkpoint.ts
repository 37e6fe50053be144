import type { ByteSource } from './byteSource.js';
import { CheckpointError, listQuoted, systemReason } from './errors.js';
import { nodeFileSystem, type CheckpointFileSystem } from './fileSystem.js';
import { headerLength, LENGTH_FIELD_BYTES, parseHeader, type ParsedHeader } from './header.js';
import { MAX_INDEX_BYTES, parseShardIndex } from './shardIndex.js';
import { mergeShards, type OpenedShard, type ShardOutcome } from './shards.js';
import type { Checkpoint, CheckpointFile } from './types.js';

const INDEX_SUFFIX = '.safetensors.index.json';
const FILE_SUFFIX = '.safetensors';

/** Most headers fit, so that one read is enough; on remote disks each read is a round trip. */
const FIRST_READ_BYTES = 64 * 1024;

/** Shards whose headers are read at once. */
const SHARDS_AT_ONCE = 8;

/**
 * Opens a checkpoint: a safetensors file, a `*.safetensors.index.json`, or a model folder. Reads
 * headers only, never weights, and leaves nothing open.
 *
 * A missing or damaged shard, or one without a tensor that the index promises, becomes a problem of
 * the checkpoint, whose other shards stay usable. What makes the whole untrustworthy is thrown: a
 * malformed index, a path that leaves the folder, a tensor in two places, no readable shard at all.
 * @throws CheckpointError
 */
export async function openCheckpoint(
  path: string,
  fileSystem: CheckpointFileSystem = nodeFileSystem,
): Promise<Checkpoint> {
  const entry = await findEntry(path, fileSystem);
  try {
    return entry.endsWith(INDEX_SUFFIX)
      ? await openIndex(entry, fileSystem)
      : await openSingle(entry, fileSystem);
  } catch (error) {
    throw asCheckpointError(error, entry);
  }
}

/**
 * Opens one file of a checkpoint for reading weights, making sure that it is still as long as it
 * was when its header was read.
 * @throws CheckpointError
 */
export async function openCheckpointFile(
  file: CheckpointFile,
  fileSystem: CheckpointFileSystem = nodeFileSystem,
): Promise<ByteSource> {
  const source = await fileSystem.open(file.path);
  if (source.size === file.sizeBytes) return source;
  await source.close();
  const detail = `the file has ${source.size} bytes now, ${file.sizeBytes} when its header was read`;
  throw new CheckpointError(file.path, '', 'FileChanged', detail);
}

/** The file that a path stands for: itself, or what a folder holds. */
async function findEntry(path: string, fileSystem: CheckpointFileSystem): Promise<string> {
  const kind = await fileSystem.kind(path);
  if (kind === undefined) {
    throw new CheckpointError(path, '', 'FileNotFound', 'there is no such file or folder');
  }
  if (kind !== 'folder') return path;
  const names = (await fileSystem.list(path)).sort();
  const indexes = names.filter((name) => name.endsWith(INDEX_SUFFIX));
  const files = names.filter((name) => name.endsWith(FILE_SUFFIX));
  const preferred =
    ['model.safetensors.index.json', 'model.safetensors'].find((name) => names.includes(name)) ??
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
  const detail = `the folder holds no ${FILE_SUFFIX} file${found}`;
  return new CheckpointError(folder, '', 'NoCheckpoint', detail);
}

async function openSingle(path: string, fileSystem: CheckpointFileSystem): Promise<Checkpoint> {
  const { folder, name } = fileSystem.split(path);
  const { header, file } = await openShard(folder, name, fileSystem);
  const { tensors, metadata } = header;
  return { path: file.path, folder, files: [file], tensors, metadata, problems: [] };
}

async function openIndex(path: string, fileSystem: CheckpointFileSystem): Promise<Checkpoint> {
  const { folder, name } = fileSystem.split(path);
  const index = parseShardIndex(await readIndex(path, name, fileSystem), name);
  const shardNames = [...index.shards.keys()];
  const outcomes = await mapInOrder(shardNames, SHARDS_AT_ONCE, (shard) =>
    tryShard(folder, shard, fileSystem),
  );
  const merged = mergeShards(name, index, outcomes);
  return { path: fileSystem.join(folder, name), folder, ...merged };
}

async function readIndex(
  path: string,
  name: string,
  fileSystem: CheckpointFileSystem,
): Promise<Uint8Array> {
  return withSource(fileSystem, path, async (source) => {
    if (source.size > MAX_INDEX_BYTES) {
      const detail = `${source.size} bytes, over the limit of ${MAX_INDEX_BYTES}`;
      throw new CheckpointError(name, '', 'InvalidIndex', detail);
    }
    const bytes = new Uint8Array(source.size);
    await source.read(0, bytes);
    return bytes;
  });
}

async function tryShard(
  folder: string,
  shard: string,
  fileSystem: CheckpointFileSystem,
): Promise<ShardOutcome> {
  try {
    if ((await fileSystem.kind(fileSystem.join(folder, shard))) === undefined) {
      return { shard, missing: true };
    }
    return { shard, opened: await openShard(folder, shard, fileSystem) };
  } catch (error) {
    return { shard, error: asCheckpointError(error, shard) };
  }
}

async function openShard(
  folder: string,
  name: string,
  fileSystem: CheckpointFileSystem,
): Promise<OpenedShard> {
  const path = fileSystem.join(folder, name);
  return withSource(fileSystem, path, async (source) => {
    const header = await readHeader(source, name);
    const { headerBytes } = header;
    return { header, file: { name, path, sizeBytes: source.size, headerBytes } };
  });
}

/** Reads and checks the header of an open file. @throws CheckpointError */
async function readHeader(source: ByteSource, name: string): Promise<ParsedHeader> {
  const start = new Uint8Array(Math.min(source.size, FIRST_READ_BYTES));
  await source.read(0, start);
  const needed = LENGTH_FIELD_BYTES + headerLength(start, source.size, name);
  if (needed <= start.length) return parseHeader(start, source.size, name);
  const whole = new Uint8Array(needed);
  whole.set(start);
  await source.read(start.length, whole.subarray(start.length));
  return parseHeader(whole, source.size, name);
}

async function withSource<Result>(
  fileSystem: CheckpointFileSystem,
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

/** Whatever a host's file system throws, told as an error of the file. */
function asCheckpointError(error: unknown, file: string): CheckpointError {
  if (!(error instanceof CheckpointError)) {
    return new CheckpointError(file, '', 'ReadFailed', systemReason(error), { cause: error });
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
