import { CheckpointError, listQuoted, quoted, visible } from '../storage/errors.js';
import type { ShardIndex, StoredTensor } from '../storage/container.js';
import { forEachInSteps, type Steps } from '../storage/slices.js';
import { mergeMetadata } from './mergeMetadata.js';
import { ShardProblems } from './shardProblems.js';
import type { CheckpointFile, CheckpointProblem, FreshCheckpoint } from './types.js';

/** A shard whose header has been read. */
export interface OpenedShard {
  readonly file: CheckpointFile;
  /** The caller's to use up. */
  readonly tensors: StoredTensor[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly configuration?: Readonly<Record<string, unknown>>;
  /** What the container joins it by with the model's other files. */
  readonly unjoined?: unknown;
}

/** What came of opening one of an index's shards. */
export type ShardOutcome =
  | { readonly shard: string; readonly opened: OpenedShard }
  | { readonly shard: string; readonly missing: true }
  | { readonly shard: string; readonly error: CheckpointError };

type Merged = Pick<
  FreshCheckpoint,
  'files' | 'tensors' | 'metadata' | 'configuration' | 'problems' | 'absent' | 'notes'
>;

/**
 * Puts the shards of a model together, in steps. Where a tensor lies in several, the index decides.
 * @param indexName what messages call the whole
 * @param index undefined where the shards are known by their names alone
 * @param outcomes of all shards, in the order in which they are to be told
 * @throws CheckpointError when a tensor lies in two shards and no index decides, or no shard could be opened
 */
export function* mergeShards(
  indexName: string,
  index: Pick<ShardIndex, 'weightMap'> | undefined,
  outcomes: readonly ShardOutcome[],
): Steps<Merged> {
  const opened = outcomes.flatMap((outcome) => ('opened' in outcome ? [outcome.opened] : []));
  const problems = new ShardProblems(indexName, outcomes);
  /** Shard that holds the copy of each tensor that counts. */
  const foundIn = new Map<string, string>();
  for (const { file, tensors } of opened) {
    yield* forEachInSteps(tensors, ({ name }) => {
      const first = foundIn.get(name);
      const named = index?.weightMap.get(name);
      if (first === undefined) foundIn.set(name, file.name);
      else if (named === file.name) foundIn.set(name, named);
      else if (named !== first) throw inTwoShards(indexName, name, first, file.name);
    });
  }
  const isSuperseded = ({ name, file }: StoredTensor) => foundIn.get(name) !== file;
  const absent = new Set<string>();
  let superseded = 0;
  if (index) {
    for (const { file, tensors } of opened) {
      yield* forEachInSteps(tensors, (tensor) => {
        if (isSuperseded(tensor)) {
          superseded++;
          problems.addSuperseded(file.name, tensor.name);
        } else if (index.weightMap.get(tensor.name) !== file.name) {
          problems.addUnlisted(file.name, tensor.name);
        }
      });
    }
    const openedNames = new Set(opened.map(({ file }) => file.name));
    yield* forEachInSteps(index.weightMap, ([name, shard]) => {
      const found = foundIn.get(name);
      // A copy elsewhere is as good as that of a shard that lacks it, but not as that of one that is not there.
      if (found === shard || (found !== undefined && openedNames.has(shard))) return;
      problems.addAbsent(shard, name);
      absent.add(name);
    });
  }
  const errors = problems.tell();
  if (opened.length === 0) throw nothingOpened(indexName, outcomes, errors);
  const tensors =
    opened.length === 1 ? opened[0].tensors : opened.flatMap((shard) => shard.tensors);
  return {
    files: opened.map(({ file }) => file),
    tensors: superseded > 0 ? tensors.filter((tensor) => !isSuperseded(tensor)) : tensors,
    metadata: yield* mergeMetadata(opened),
    configuration: opened[0].configuration,
    problems: errors.map(describeProblem),
    absent: index || errors.length === 0 ? absent : undefined,
    notes: problems.tellNotes().map(describeProblem),
  };
}

function describeProblem({ file, message }: CheckpointError): CheckpointProblem {
  return { file, message };
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
