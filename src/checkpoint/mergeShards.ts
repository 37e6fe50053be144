import { CheckpointError, listQuoted, quoted, visible } from '../storage/errors.js';
import type { ShardIndex, StoredTensor } from '../storage/container.js';
import { forEachInSteps, type Steps } from '../storage/slices.js';
import { mergeMetadata } from './mergeMetadata.js';
import { ShardProblems } from './shardProblems.js';
import type { CheckpointFile, FreshCheckpoint } from './types.js';

/** A shard whose header has been read. */
export interface OpenedShard {
  readonly file: CheckpointFile;
  /** The caller's to use up. */
  readonly tensors: StoredTensor[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly configuration?: Readonly<Record<string, unknown>>;
}

/** What came of opening one of an index's shards. */
export type ShardOutcome =
  | { readonly shard: string; readonly opened: OpenedShard }
  | { readonly shard: string; readonly missing: true }
  | { readonly shard: string; readonly error: CheckpointError };

type Merged = Pick<FreshCheckpoint, 'files' | 'tensors' | 'metadata' | 'problems'>;

/**
 * Puts the shards of an index together, in steps.
 * @param outcomes of all shards of the index, in the order in which they are to be told
 * @throws CheckpointError when a tensor lies in two shards, or no shard could be opened
 */
export function* mergeShards(
  indexName: string,
  index: ShardIndex,
  outcomes: readonly ShardOutcome[],
): Steps<Merged> {
  const opened = outcomes.flatMap((outcome) => ('opened' in outcome ? [outcome.opened] : []));
  const problems = new ShardProblems(indexName, outcomes);
  /** Shard in which each tensor was found. */
  const foundIn = new Map<string, string>();
  for (const { file, tensors } of opened) {
    yield* forEachInSteps(tensors, ({ name }) => {
      const first = foundIn.get(name);
      if (first !== undefined) throw inTwoShards(indexName, name, first, file.name);
      foundIn.set(name, file.name);
      if (index.weightMap.get(name) !== file.name) problems.addUnlisted(file.name, name);
    });
  }
  yield* forEachInSteps(index.weightMap, ([name, shard]) => {
    if (foundIn.get(name) !== shard) problems.addAbsent(shard, name);
  });
  const errors = problems.tell();
  if (opened.length === 0) throw nothingOpened(indexName, outcomes, errors);
  return {
    files: opened.map(({ file }) => file),
    tensors: opened.length === 1 ? opened[0].tensors : opened.flatMap(({ tensors }) => tensors),
    metadata: yield* mergeMetadata(opened),
    problems: errors.map(({ file, message }) => ({ file, message })),
  };
}

function inTwoShards(
  indexName: string,
  name: string,
  first: string,
  second: string,
): CheckpointError {
  const detail = `it lies in two shards, ${quoted(first)} and ${quoted(second)}`;
  return new CheckpointError(indexName, `tensor ${quoted(name)}`, 'DuplicateName', detail);
}

function nothingOpened(
  indexName: string,
  outcomes: readonly ShardOutcome[],
  errors: readonly CheckpointError[],
): CheckpointError {
  // A shard that is there but damaged tells more than those that are not.
  const damaged = errors.find(({ rule }) => rule !== 'MissingShard');
  if (!damaged) {
    const names = outcomes.map(({ shard }) => shard);
    const detail = `no shard is there: ${listQuoted(names)} ${names.length === 1 ? 'is' : 'are'} missing`;
    return new CheckpointError(indexName, '', 'MissingShard', detail);
  }
  const where = [visible(damaged.file), damaged.place].filter((part) => part !== '').join(', ');
  const detail = `no shard can be read; ${where}: ${damaged.detail}`;
  return new CheckpointError(indexName, '', damaged.rule, detail);
}
