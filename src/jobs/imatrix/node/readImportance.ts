import { meanSquaresOf, readImatrix, type ImportanceMatrix } from '../../../gguf/imatrix.js';
import type { ImportanceOf } from '../../../methods/types.js';
import type { LanguageModel } from '../../../model/evaluation/types.js';
import { hashOf } from '../../../model/scores/node/hashOf.js';
import { CheckpointError, listQuoted, quoted, visible } from '../../../storage/errors.js';
import type { FileSystem } from '../../../storage/fileSystem.js';
import { runInSlices } from '../../../storage/slices.js';
import { WHOLE_FILES } from '../../../storage/wholeFiles.js';
import { expertTargets, imatrixName, linearInputs } from '../names.js';

/** Where an importance matrix is to serve. */
export interface ImportanceTarget {
  readonly files: FileSystem;
  readonly model: LanguageModel;
  /** Names of the tensors that are to be rounded. */
  readonly tensors: readonly string[];
}

/** Mean squares of inputs that a file says. */
export interface GivenImportance {
  readonly of: ImportanceOf;
  /** Changes with what the file says. */
  readonly key: string;
  /** Path of the file. */
  readonly source: string;
  /** What a reader of numbers must know of it. */
  readonly notes: readonly string[];
}

/**
 * Reads an importance matrix for a model. What it lacks of the model's linear maps is said.
 * @throws CheckpointError where the file is none, or that of another model
 */
export async function readImportance(
  path: string,
  { files, model, tensors }: ImportanceTarget,
): Promise<GivenImportance> {
  const bytes = await files.read(path, WHOLE_FILES.importanceMatrix);
  const matrix = await runInSlices(readImatrix(bytes, path));
  refuseMoreBlocks(path, matrix, model.plan.blocks.length);
  const linears = linearInputs(model.plan);
  const wanted = tensors.filter((name) => linears.has(name));
  const found = new Map<string, Float32Array>();
  const missing: string[] = [];
  const unseen: string[] = [];
  for (const name of wanted) {
    const stored = imatrixName(name);
    const entry = stored === undefined ? undefined : matrix.entries.get(stored);
    if (stored === undefined || !entry) {
      missing.push(stored ?? name);
      continue;
    }
    const { inputs, matrices, counts } = entry;
    if (inputs !== linears.get(name) || matrices !== 1) {
      const detail = `${inputs} inputs${matrices === 1 ? '' : ` of ${matrices} matrices`} where the model's ${quoted(name)} has ${linears.get(name)!}: this is the importance matrix of another model`;
      throw new CheckpointError(path, `entry ${quoted(stored)}`, 'TensorInvalidInfo', detail);
    }
    if (counts[0] === 0) unseen.push(stored);
    found.set(name, meanSquaresOf(entry));
  }
  const ofExperts = readExperts(path, matrix, { model, tensors }, { missing, unseen });
  if (found.size === 0 && ofExperts.size === 0 && wanted.length > 0) {
    const detail = `it has ${listQuoted([...matrix.entries.keys()])}, none of which the model needs (${listQuoted(missing)}): this is the importance matrix of another model`;
    throw new CheckpointError(path, '', 'TensorInvalidInfo', detail);
  }
  return {
    of: (name, expert) => (expert === undefined ? found.get(name) : ofExperts.get(name)?.[expert]),
    key: hashOf([bytes]),
    source: path,
    notes: notesOf(path, missing, unseen),
  };
}

/** Mean squares of each expert's inputs, by the name of the weights' tensor; undefined of experts without rows. */
function readExperts(
  path: string,
  { entries }: ImportanceMatrix,
  { model, tensors }: Pick<ImportanceTarget, 'model' | 'tensors'>,
  { missing, unseen }: { readonly missing: string[]; readonly unseen: string[] },
): ReadonlyMap<string, readonly (Float32Array | undefined)[]> {
  const targets = expertTargets(model.plan);
  const found = new Map<string, readonly (Float32Array | undefined)[]>();
  const said = new Set<string>();
  for (const tensor of tensors) {
    const target = targets.get(tensor);
    if (!target) continue;
    const { names, experts, inputs } = target;
    // Gate and up take the same inputs.
    const stored = names.find((name) => entries.has(name));
    const isNew = !said.has(names[0]);
    said.add(names[0]);
    if (stored === undefined) {
      if (isNew) missing.push(names[0]);
      continue;
    }
    const entry = entries.get(stored)!;
    if (entry.inputs !== inputs || entry.matrices !== experts) {
      const detail = `${entry.inputs} inputs of ${entry.matrices} experts where the model's ${quoted(tensor)} has ${inputs} of ${experts}: this is the importance matrix of another model`;
      throw new CheckpointError(path, `entry ${quoted(stored)}`, 'TensorInvalidInfo', detail);
    }
    if (isNew && entry.counts.includes(0)) unseen.push(stored);
    found.set(
      tensor,
      Array.from(entry.counts, (count, expert) =>
        count > 0 ? meanSquaresOf(entry, expert) : undefined,
      ),
    );
  }
  return found;
}

/** Refuses entries of blocks that the model does not have. */
function refuseMoreBlocks(path: string, { entries }: ImportanceMatrix, blocks: number): void {
  for (const name of entries.keys()) {
    const number = /^blk\.(\d{1,9})\./.exec(name)?.[1];
    if (number === undefined || Number(number) < blocks) continue;
    const detail = `the model has ${blocks} blocks, numbered from 0: this is the importance matrix of another model`;
    throw new CheckpointError(path, `entry ${quoted(name)}`, 'TensorInvalidInfo', detail);
  }
}

function notesOf(path: string, missing: readonly string[], unseen: readonly string[]): string[] {
  const notes: string[] = [];
  if (missing.length > 0) {
    notes.push(
      `${visible(path)} has no entry for ${listQuoted(missing)}: rounded without an importance.`,
    );
  }
  if (unseen.length > 0) {
    notes.push(
      `${visible(path)} has seen no inputs of ${listQuoted(unseen)} (count 0): all inputs count alike there.`,
    );
  }
  return notes;
}
