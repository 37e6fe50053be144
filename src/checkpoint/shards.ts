import { isCancelled, throwIfCancelled, type CallOptions } from '../rpc/rpc.js';
import type { Container } from '../storage/container.js';
import { describeSystemError } from '../storage/describeError.js';
import { CheckpointError, quoted } from '../storage/errors.js';
import { withSource, type FileSystem } from '../storage/fileSystem.js';
import { naturalKey } from '../storage/naturalOrder.js';
import { runInSlices, sortInSteps, type SliceOptions } from '../storage/slices.js';
import type { OpenedShard, ShardOutcome } from './mergeShards.js';

/** Shards whose headers are read at once. */
const SHARDS_AT_ONCE = 8;

/** An index that names more shards than this is compared with its folder before shards are looked for. */
const LISTED_BEYOND = 1000;

/** More shards than any model has are left in the order of the index. */
const MAX_SORTED = 200_000;

/**
 * Opens the shards that an index names, as far as they are there.
 * @returns an outcome for each, in natural order ("2" before "10")
 */
export async function openShards(
  folder: string,
  names: readonly string[],
  container: Container,
  fileSystem: FileSystem,
  options: CallOptions,
): Promise<ShardOutcome[]> {
  const shards = await inNaturalOrder(names, options);
  const mayBeThere = await lookIntoFolder(folder, shards.length, fileSystem);
  const outcomes: ShardOutcome[] = new Array<ShardOutcome>(shards.length);
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < shards.length) {
      throwIfCancelled(options.signal);
      const at = next++;
      const shard = shards[at];
      if (!mayBeThere(shard)) {
        outcomes[at] = { shard, missing: true };
        continue;
      }
      options.onProgress?.({ done: at, total: shards.length, message: shard });
      outcomes[at] = await tryShard(folder, shard, container, fileSystem, options);
    }
  };
  await Promise.all(Array.from({ length: Math.min(SHARDS_AT_ONCE, shards.length) }, work));
  return outcomes;
}

async function inNaturalOrder(
  names: readonly string[],
  options: SliceOptions,
): Promise<readonly string[]> {
  if (names.length > MAX_SORTED) return names;
  const keyed = names.map((name) => ({ name, key: naturalKey(name) }));
  const sorted = await runInSlices(
    sortInSteps(keyed, (a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)),
    options,
  );
  return sorted.map(({ name }) => name);
}

/**
 * Which shards are worth looking for: of a great many, those that the folder lists. Letters and accents
 * are compared loosely, as some disks do; whether the file is there, opening it tells.
 */
async function lookIntoFolder(
  folder: string,
  shards: number,
  fileSystem: FileSystem,
): Promise<(shard: string) => boolean> {
  if (shards <= LISTED_BEYOND) return () => true;
  const fold = (name: string) => name.normalize('NFC').toLowerCase();
  const listed = new Set((await fileSystem.list(folder)).map(fold));
  return (shard) => listed.has(fold(shard));
}

async function tryShard(
  folder: string,
  shard: string,
  container: Container,
  fileSystem: FileSystem,
  options: SliceOptions,
): Promise<ShardOutcome> {
  try {
    if ((await fileSystem.kind(fileSystem.join(folder, shard))) === undefined) {
      return { shard, missing: true };
    }
    return { shard, opened: await openShard(folder, shard, container, fileSystem, options) };
  } catch (error) {
    if (isCancelled(error)) throw error;
    return { shard, error: asCheckpointError(error, shard) };
  }
}

/**
 * Lets the container read the headers of a model's shards together, where only the first says what those of
 * all mean. Without the first, each is taken for itself.
 * @param outcomes of all shards, or of the first and of those that are asked for
 * @param count shards of the whole model
 * @throws CheckpointError whose place begins with the shard
 */
export async function joinShards(
  outcomes: readonly ShardOutcome[],
  count: number,
  container: Container,
  options: SliceOptions,
): Promise<readonly ShardOutcome[]> {
  if (!container.joinShards || !('opened' in outcomes[0])) return outcomes;
  const opened = outcomes.flatMap((outcome) => ('opened' in outcome ? [outcome.opened] : []));
  const headers = opened.map(({ file, ...header }) => ({
    ...header,
    fileName: file.name,
    headerBytes: file.headerBytes,
  }));
  const joined = await runInSlices(container.joinShards(headers, count), options).catch(inShard);
  let next = 0;
  return outcomes.map((outcome) => {
    if (!('opened' in outcome)) return outcome;
    const { tensors, metadata, configuration } = joined[next++];
    const { file } = outcome.opened;
    return { shard: outcome.shard, opened: { file, tensors, metadata, configuration } };
  });
}

/** Throws an error of one shard so that it says which, whatever the whole is called that it is told of. */
function inShard(error: unknown): never {
  if (!(error instanceof CheckpointError)) throw error;
  const { file, place, rule, detail } = error;
  const where = [quoted(file), place].filter((part) => part !== '').join(', ');
  throw new CheckpointError(file, where, rule, detail, { cause: error });
}

/** Reads the header of one file. */
export async function openShard(
  folder: string,
  name: string,
  container: Container,
  fileSystem: FileSystem,
  options: SliceOptions,
): Promise<OpenedShard> {
  const path = fileSystem.join(folder, name);
  return withSource(fileSystem, path, async (source) => {
    const header = await container.readHeader(source, name, options);
    const { tensors, metadata, headerBytes, configuration, unjoined } = header;
    const file = { name, path, sizeBytes: source.size, headerBytes, source: source.ref };
    return { file, metadata, tensors, configuration, unjoined };
  });
}

/** Whatever a host's file system throws, told as an error of the file; being cancelled is none. */
export function asCheckpointError(error: unknown, file: string): CheckpointError {
  if (isCancelled(error)) throw error;
  if (!(error instanceof CheckpointError)) {
    return new CheckpointError(file, '', 'ReadFailed', describeSystemError(error), {
      cause: error,
    });
  }
  return error.inFile(file);
}
