import { CheckpointError, listQuoted, quoted, visible } from '../storage/errors.js';
import type { ShardIndex } from '../storage/container.js';
import type { Checkpoint, CheckpointFile, CheckpointProblem, CheckpointTensor } from './types.js';

/** A shard whose header has been read. */
export interface OpenedShard {
  readonly file: CheckpointFile;
  readonly tensors: readonly CheckpointTensor[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** What came of opening one of an index's shards. */
export type ShardOutcome =
  | { readonly shard: string; readonly opened: OpenedShard }
  | { readonly shard: string; readonly missing: true }
  | { readonly shard: string; readonly error: CheckpointError };

type Merged = Pick<Checkpoint, 'files' | 'tensors' | 'metadata' | 'problems'>;

/**
 * Puts the shards of an index together, in the index's order.
 * @throws CheckpointError when a tensor lies in two shards, or no shard could be opened
 */
export function mergeShards(
  indexName: string,
  index: ShardIndex,
  outcomes: readonly ShardOutcome[],
): Merged {
  const errors: CheckpointError[] = [];
  const opened: OpenedShard[] = [];
  const shardOf = new Map<string, string>();

  for (const outcome of outcomes) {
    const promised = index.shards.get(outcome.shard) ?? new Set<string>();
    if ('missing' in outcome) {
      const detail = `this shard is missing, and with it ${nameTensors([...promised])}`;
      errors.push(new CheckpointError(outcome.shard, '', 'MissingShard', detail));
    } else if ('error' in outcome) {
      errors.push(outcome.error);
    } else {
      opened.push(outcome.opened);
      for (const tensor of outcome.opened.tensors) {
        refuseSecond(indexName, tensor, shardOf.get(tensor.name));
        shardOf.set(tensor.name, tensor.file);
      }
      errors.push(...compareWithIndex(outcome, promised));
    }
  }
  if (opened.length === 0) throw nothingOpened(indexName, outcomes, errors);
  return {
    files: opened.map(({ file }) => file),
    tensors: opened.flatMap(({ tensors }) => tensors),
    metadata: mergeMetadata(opened),
    problems: errors.map(({ file, message }): CheckpointProblem => ({ file, message })),
  };
}

function refuseSecond(indexName: string, tensor: CheckpointTensor, first: string | undefined) {
  if (first === undefined) return;
  const place = `tensor ${quoted(tensor.name)}`;
  const detail = `it lies in two shards, ${quoted(first)} and ${quoted(tensor.file)}`;
  throw new CheckpointError(indexName, place, 'DuplicateName', detail);
}

/** Tensors that the index promises and the shard lacks, and the other way round. */
function compareWithIndex(
  { shard, opened }: { shard: string; opened: OpenedShard },
  promised: ReadonlySet<string>,
): CheckpointError[] {
  const present = new Set(opened.tensors.map(({ name }) => name));
  const absent = [...promised].filter((name) => !present.has(name));
  const unlisted = [...present].filter((name) => !promised.has(name));
  const errors: CheckpointError[] = [];
  if (absent.length > 0) {
    const detail = `the index promises ${nameTensors(absent)} here, which the shard does not hold`;
    errors.push(new CheckpointError(shard, 'header', 'TensorNotInShard', detail));
  }
  if (unlisted.length > 0) {
    const detail = `the shard holds ${nameTensors(unlisted)}, which the index does not place here`;
    errors.push(new CheckpointError(shard, 'header', 'TensorNotInIndex', detail));
  }
  return errors;
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

function nameTensors(names: readonly string[]): string {
  return `${names.length === 1 ? 'tensor' : 'tensors'} ${listQuoted(names)}`;
}

/** Metadata of all shards; a key whose value differs between shards appears once for each of them. */
function mergeMetadata(shards: readonly OpenedShard[]): Record<string, string> {
  const values = new Map<string, Map<string, string>>();
  for (const { file, metadata } of shards) {
    for (const [key, value] of Object.entries(metadata)) {
      if (!values.has(key)) values.set(key, new Map());
      values.get(key)!.set(file.name, value);
    }
  }
  const merged = Object.create(null) as Record<string, string>;
  for (const [key, byFile] of values) {
    if (new Set(byFile.values()).size === 1) merged[key] = [...byFile.values()][0];
    else for (const [file, value] of byFile) merged[`${key} (${file})`] = value;
  }
  return merged;
}
