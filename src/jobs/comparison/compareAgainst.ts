import { getMatrixShape } from '../../checkpoint/matrixShape.js';
import type { ModelTensor, OpenedModel } from '../../checkpoint/types.js';
import { planChunks } from '../../compute/chunks.js';
import type { DifferenceApi } from '../../compute/difference.js';
import type { TaskOf } from '../../compute/taskMachine.js';
import type { WorkerPool } from '../../compute/workerPool.js';
import { ErrorAccumulator, WeightAccumulator } from '../../metrics/errorAccumulator.js';
import { makeModelTitle } from '../../reports/modelTitle.js';
import type { ComparisonReport, FormatComparison } from '../../reports/reports.js';
import { nameStorage } from '../../reports/storedAs.js';
import type { CallOptions } from '../../rpc/rpc.js';
import { quoted, visible } from '../../storage/errors.js';
import { SelectionError, selectTensors, type Selection } from '../selection.js';
import { summarizeModel } from '../summarizeModel.js';
import { describeMeasured, type MeasuredTensor } from './describeFormats.js';
import { pairTensors, type TensorPair } from './pairTensors.js';

/** What is compared with what. */
export interface AgainstRequest extends Selection {
  /** The checkpoint that stands in the place of the model. */
  readonly against: OpenedModel;
  /** Formats are compared as well: the same weights are then looked at in both. */
  readonly withFormats: boolean;
}

/** A pair of tensors and how they differ. */
interface ComparedPair extends TensorPair, MeasuredTensor {
  /** Places where only the other tensor is NaN or ±Inf. */
  otherNonFinite: number;
}

/** What another checkpoint is called among formats. */
export function nameAgainst({ path }: Pick<OpenedModel, 'path'>): string {
  return makeModelTitle(path.replaceAll('\\', '/'));
}

/**
 * Compares a model with another checkpoint of it, tensor by tensor, whatever their layouts and containers: decoded
 * weights of one against decoded weights of the other. Neither is changed.
 * @returns a report of one format, which is the other checkpoint
 * @throws SelectionError where they have no tensor in common
 */
export async function compareAgainst(
  pool: WorkerPool,
  model: OpenedModel,
  { against, withFormats, ...selection }: AgainstRequest,
  { signal, onProgress }: CallOptions = {},
): Promise<ComparisonReport> {
  const begin = performance.now();
  const chosen =
    withFormats || selection.tensors !== undefined || (selection.tensorGlobs?.length ?? 0) > 0;
  const wanted = chosen ? selectTensors(model, selection) : model.tensors;
  const { pairs, notes } = pairTensors(model, against, wanted, !chosen);
  if (pairs.length === 0) {
    throw new SelectionError(
      `${visible(against.path)}: none of its tensors has the name and the shape of one of ${visible(model.path)}`,
    );
  }
  const compared = pairs.map((pair): ComparedPair => ({
    ...pair,
    weights: new WeightAccumulator(),
    errors: [new ErrorAccumulator()],
    otherNonFinite: 0,
  }));
  const owners: ComparedPair[] = [];
  const total = pairs.reduce((sum, { tensor }) => sum + tensor.elements, 0);
  let done = 0;
  function* tasks(): Generator<TaskOf<DifferenceApi, 'difference'>> {
    for (const pair of compared) {
      for (const task of planPair(pair)) {
        owners.push(pair);
        yield task;
      }
    }
  }
  await pool.tasks<DifferenceApi>().run(
    'difference',
    tasks(),
    ({ weights, errors, otherNonFinite }, index) => {
      const pair = owners[index];
      pair.weights.add(weights);
      pair.errors[0].add(errors);
      pair.otherNonFinite += otherNonFinite;
      done += weights.elements;
      onProgress?.({ done, total, message: pair.tensor.name });
    },
    signal,
  );
  const tensors = pairs.map(({ tensor }) => tensor);
  return {
    model: summarizeModel(model, tensors, chosen),
    against: summarizeModel(
      against,
      pairs.map(({ other }) => other),
      false,
    ),
    baseline: {},
    formats: [describeAgainst(against, compared, notes)],
    notes: [],
    timings: {
      readSeconds: 0,
      quantizeSeconds: 0,
      forwardSeconds: 0,
      totalSeconds: (performance.now() - begin) / 1000,
      peakRssBytes: pool.host.peakMemoryBytes(),
      backend: pool.backend,
      threads: pool.threads,
    },
  };
}

/** Chunks of both tensors, which are cut alike since their rows and columns are the same. */
function* planPair({ tensor, other }: TensorPair): Generator<TaskOf<DifferenceApi, 'difference'>> {
  const options = { expertsApart: true };
  const others = planChunks(asMatrix(other), options);
  for (const chunk of planChunks(asMatrix(tensor), options)) {
    const next = others.next();
    if (next.done || next.value.rows !== chunk.rows || next.value.columns !== chunk.columns) {
      throw new Error(`${quoted(tensor.name)} is cut otherwise than ${quoted(other.name)}`);
    }
    yield { chunk, other: next.value };
  }
}

/** Vectors are one row. */
function asMatrix(tensor: ModelTensor): ModelTensor {
  const { columns } = getMatrixShape(tensor);
  return tensor.shape.length > 1 ? tensor : { ...tensor, shape: [1, columns] };
}

function describeAgainst(
  against: OpenedModel,
  pairs: readonly ComparedPair[],
  notes: readonly string[],
): FormatComparison {
  const { summary, layers, tensors } = describeMeasured(pairs, 0, ({ other }) =>
    nameStorage(other),
  );
  const sizeBytes = pairs.reduce((sum, { other }) => sum + other.bytes, 0);
  return {
    id: nameAgainst(against),
    label: `as stored in ${nameAgainst(against)}`,
    bitsPerWeight: (sizeBytes * 8) / summary.parameters,
    approximate: false,
    reconstructed: false,
    notes: [
      ...notes,
      ...against.decodedFrom.map((line) => `${line}.`),
      ...against.notes.map(({ message }) => message),
      ...nonFiniteNotes(pairs),
    ],
    summary: { ...summary, sizeBytes },
    layers,
    tensors,
  };
}

function* nonFiniteNotes(pairs: readonly ComparedPair[]): Generator<string> {
  const count = pairs.reduce((sum, { weights }) => sum + weights.nonFinite, 0);
  if (count === 0) return;
  const first = pairs.find(({ weights }) => weights.nonFinite > 0)!;
  const others = pairs.reduce((sum, { otherNonFinite }) => sum + otherNonFinite, 0);
  const alone = others > 0 ? ` (${others} of them in this checkpoint alone)` : '';
  yield `${count} weights are NaN or infinite in one of the two${alone}, the first at index ${first.weights.firstNonFinite} of ${quoted(first.tensor.name)}; they are left out of every measure.`;
}
