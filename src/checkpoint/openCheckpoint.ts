import type { CallOptions } from '../rpc/rpc.js';
import type { Container } from '../storage/container.js';
import { CheckpointError } from '../storage/errors.js';
import type { FileSystem } from '../storage/fileSystem.js';
import { runInSlices } from '../storage/slices.js';
import { WHOLE_FILES } from '../storage/wholeFiles.js';
import { CONTAINERS, containerOf } from './containers.js';
import { findEntry, noteOthers, type Entry } from './findEntry.js';
import { mergeShards, type OpenedShard } from './mergeShards.js';
import { findWholeOf } from './loneShard.js';
import { namesOfRow, parseShardName, type ShardRow } from './shardNames.js';
import { asCheckpointError, joinShards, openShard, openShards } from './shards.js';
import type { FreshCheckpoint } from './types.js';

/**
 * Opens a checkpoint: a file of tensors, an index of shards, or a model folder, also one of shards
 * that are numbered and have no index. Reads headers only, never weights, and leaves nothing open.
 *
 * A missing or damaged shard, or one without a tensor that the index promises, becomes a problem of
 * the checkpoint, whose other shards stay usable. What makes the whole untrustworthy is thrown: a
 * malformed index, a path that leaves the folder, a tensor in two places of which no index names one,
 * no readable shard at all.
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
  const { container, isIndex } = containerOf(entry.path) ?? {
    container: CONTAINERS[0],
    isIndex: false,
  };
  try {
    if (entry.row) return await openRow(entry, entry.row, fileSystem, options);
    const opened = isIndex
      ? await openIndex(entry.path, container, fileSystem, options)
      : await openSingle(entry.path, container, fileSystem, options);
    return withOthers(opened, entry);
  } catch (error) {
    throw asCheckpointError(error, entry.path);
  }
}

/** Says which weights of the folder are not those of the model. */
function withOthers<Opened extends FreshCheckpoint>(
  opened: Opened,
  { folder, others }: Entry,
): Opened {
  const names = new Set(opened.files.map(({ name }) => name));
  const missing = new Set(opened.problems.map(({ file }) => file));
  const left = others.filter((name) => !names.has(name) && !missing.has(name));
  if (folder === undefined || left.length === 0) return opened;
  return { ...opened, notes: [...opened.notes, noteOthers(folder, left)] };
}

/** Opens the shards of a row that no index names. */
async function openRow(
  entry: Entry,
  row: ShardRow,
  fileSystem: FileSystem,
  options: CallOptions,
): Promise<FreshCheckpoint> {
  const folder = entry.folder ?? fileSystem.split(entry.path).folder;
  const { container } = containerOf(row.label)!;
  const outcomes = await joinShards(
    await openShards(folder, namesOfRow(row), container, fileSystem, options),
    row.shard.count,
    container,
    options,
  );
  const merged = await runInSlices(mergeShards(row.label, undefined, outcomes), options);
  return withOthers({ path: entry.path, folder, fileSystem, ...merged }, entry);
}

async function openSingle(
  path: string,
  container: Container,
  fileSystem: FileSystem,
  options: CallOptions,
): Promise<FreshCheckpoint> {
  const { folder, name } = fileSystem.split(path);
  const alone = await openShard(folder, name, container, fileSystem, options);
  const lone = await findWholeOf(folder, name, container, fileSystem);
  const { tensors, metadata, file, configuration } =
    (await joinWithFirst(alone, lone?.wholeModel, container, fileSystem, options)) ?? alone;
  return {
    path: file.path,
    folder,
    fileSystem,
    files: [file],
    tensors,
    metadata,
    problems: [],
    configuration,
    absent: new Set(),
    notes: lone ? [{ file: name, message: lone.loneShard }] : [],
    ...lone,
  };
}

/** A later shard, read with what the first says of it; undefined where that is not there or of no use. */
async function joinWithFirst(
  alone: OpenedShard,
  first: string | undefined,
  container: Container,
  fileSystem: FileSystem,
  options: CallOptions,
): Promise<OpenedShard | undefined> {
  if (!container.joinShards || first === undefined) return undefined;
  const { folder, name } = fileSystem.split(first);
  try {
    const opened = await openShard(folder, name, container, fileSystem, options);
    const both = [opened, alone].map((shard) => ({ shard: shard.file.name, opened: shard }));
    const { count } = parseShardName(name)!;
    const [, joined] = await joinShards(both, count, container, options);
    return 'opened' in joined ? joined.opened : undefined;
  } catch (error) {
    if (error instanceof CheckpointError) return undefined;
    throw error;
  }
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
