import { basename } from 'node:path';
import { matrixShape, planChunks, WHOLE_ROWS } from '../compute/chunks.js';
import { sourceOf } from '../compute/sources.js';
import type { WorkerPool } from '../compute/workerPool.js';
import { isDecodable } from '../kernels/reference/decode.js';
import { asymmetryOf, summarizeGroupRanges, type GroupExtremes } from '../metrics/groupRanges.js';
import type { GroupRanges } from '../metrics/types.js';
import { transposedWeights } from '../model/languageModel.js';
import type { GroupRangesRequest, TensorDetails } from '../protocol/editor.js';
import type { CallOptions } from '../protocol/rpc.js';
import { readModelConfig } from '../safetensors/index.js';
import type { Checkpoint, CheckpointTensor } from '../safetensors/types.js';
import { layerNaming } from './layers.js';
import { architectureOf, summarizeConfig } from './modelConfig.js';
import type { CheckpointReport } from './reports.js';
import {
  isQuantizedByDefault,
  notQuantizable,
  SelectionError,
  tensorMatcher,
} from './selection.js';
import { findTensor, requireNumbers } from './sources.js';
import { tensorStatistics } from './tensorStatistics.js';

/** A checkpoint as lists show it; reads config.json beside it, no weights. */
export async function describeCheckpoint(checkpoint: Checkpoint): Promise<CheckpointReport> {
  const { config, problem } = checkpoint.inMemory ? {} : await readModelConfig(checkpoint.folder);
  const naming = layerNaming(checkpoint.tensors.map(({ name }) => name));
  return {
    path: checkpoint.path,
    name: basename(checkpoint.path),
    files: checkpoint.files.map(({ name, sizeBytes, headerBytes }) => ({
      name,
      sizeBytes,
      headerBytes,
    })),
    tensors: checkpoint.tensors.map((tensor) => ({
      ...tensor,
      ...naming(tensor.name),
      quantizedByDefault: isQuantizedByDefault(tensor),
      notQuantizable: notQuantizable(tensor),
    })),
    metadata: checkpoint.metadata,
    problems: problem
      ? [...checkpoint.problems, { file: 'config.json', message: problem }]
      : checkpoint.problems,
    totalBytes: checkpoint.tensors.reduce((sum, { bytes }) => sum + bytes, 0),
    totalElements: checkpoint.tensors.reduce((sum, { elements }) => sum + elements, 0),
    architecture: architectureOf(config),
    configSummary: summarizeConfig(config),
  };
}

/** Statistics and histogram of one tensor, every element counted. */
export async function tensorDetails(
  pool: WorkerPool,
  checkpoint: Checkpoint,
  request: { readonly tensor: string; readonly bins: number },
  options: CallOptions = {},
): Promise<TensorDetails> {
  const tensor = findTensor(checkpoint, request.tensor);
  return tensorStatistics(pool, checkpoint, tensor, request.bins, options);
}

/**
 * Largest positive weight and magnitude of the most negative one of each group, along the inputs.
 * @param groupSize columns per group, 0 for whole rows
 */
export async function groupExtremes(
  pool: WorkerPool,
  checkpoint: Checkpoint,
  tensor: CheckpointTensor,
  groupSize: number,
  { signal, onProgress }: CallOptions = {},
): Promise<GroupExtremes & { readonly groupSize: number; readonly groupsPerRow: number }> {
  requireNumbers(tensor);
  const transposed = (await transposedWeights(checkpoint)).has(tensor.name);
  const { rows, columns } = matrixShape(tensor, transposed);
  const size = groupSize > 0 ? Math.min(Math.floor(groupSize), columns) : columns;
  const groupsPerRow = columns === 0 ? 0 : Math.ceil(columns / size);
  const positive = new Float32Array(rows * groupsPerRow);
  const negative = new Float32Array(rows * groupsPerRow);
  const source = sourceOf(checkpoint, tensor);
  const boundary = groupSize > 0 ? { columns: size, blocks: 1 } : WHOLE_ROWS;
  function* tasks() {
    for (const chunk of planChunks(tensor, source, { boundary, transposed })) {
      yield { chunk, groupSize: size };
    }
  }
  let done = 0;
  await pool.run(
    'groupExtremes',
    tasks(),
    (result) => {
      positive.set(result.positive, done);
      negative.set(result.negative, done);
      done += result.positive.length;
      onProgress?.({ done, total: positive.length, message: tensor.name });
    },
    signal,
  );
  return { positive, negative, groupSize: size, groupsPerRow };
}

/** Group ranges summarized for a chart. */
export async function groupRanges(
  pool: WorkerPool,
  checkpoint: Checkpoint,
  request: GroupRangesRequest,
  options: CallOptions = {},
): Promise<GroupRanges> {
  const tensor = findTensor(checkpoint, request.tensor);
  const { positive, negative, groupSize, groupsPerRow } = await groupExtremes(
    pool,
    checkpoint,
    tensor,
    request.groupSize,
    options,
  );
  const extent =
    request.firstGroup === undefined
      ? undefined
      : {
          firstGroup: request.firstGroup,
          shownGroups: request.shownGroups ?? positive.length,
        };
  return summarizeGroupRanges(
    { positive, negative },
    { groupSize, groupsPerRow },
    request.maxColumns,
    extent,
  );
}

export interface InspectRequest {
  /** Globs over tensor names; all tensors where absent. */
  readonly tensors?: readonly string[];
  readonly stats: boolean;
  /** Columns per group for the asymmetry, 0 for whole rows. */
  readonly groupSize: number;
}

/** The document that `inspect --json` prints. Statistics need a pool. */
export async function inspectReport(
  pool: WorkerPool | undefined,
  checkpoint: Checkpoint,
  request: InspectRequest,
  options: CallOptions = {},
) {
  const matches = request.tensors?.length ? tensorMatcher(request.tensors) : () => true;
  const tensors = checkpoint.tensors.filter(({ name }) => matches(name));
  if (tensors.length === 0 && request.tensors?.length) {
    throw new SelectionError(`${checkpoint.path}: no tensor matches ${request.tensors.join(', ')}`);
  }
  const total = tensors.reduce((sum, { elements }) => sum + elements, 0);
  const list = [];
  let done = 0;
  for (const tensor of tensors) {
    const { name, file, dtype, exactShape, bytes, offset } = tensor;
    const shape = exactShape ?? tensor.shape;
    const withStats = request.stats && pool && isDecodable(dtype) && tensor.elements > 0;
    const stats = withStats
      ? await inspectTensor(pool, checkpoint, tensor, request.groupSize, {
          ...options,
          onProgress: (part) =>
            options.onProgress?.({
              done: done + (tensor.elements * part.done) / part.total,
              total,
              message: name,
            }),
        })
      : undefined;
    done += tensor.elements;
    list.push({ name, file, dtype, shape, bytes, offset, ...(stats ? { stats } : {}) });
  }
  return {
    files: checkpoint.files,
    metadata: checkpoint.metadata,
    problems: checkpoint.problems,
    tensors: list,
  };
}

async function inspectTensor(
  pool: WorkerPool,
  checkpoint: Checkpoint,
  tensor: CheckpointTensor,
  groupSize: number,
  options: CallOptions,
) {
  const { statistics } = await tensorStatistics(pool, checkpoint, tensor, 1, options);
  const extremes = await groupExtremes(pool, checkpoint, tensor, groupSize, {
    signal: options.signal,
  });
  return {
    ...statistics,
    groups: {
      count: extremes.positive.length,
      size: extremes.groupSize,
      asymmetry: signedAsymmetry(extremes),
    },
  };
}

/** Mean and quantiles of the signed asymmetry over groups that are not all zero. */
function signedAsymmetry({ positive, negative }: GroupExtremes) {
  const values = new Float64Array(positive.length);
  let count = 0;
  let sum = 0;
  for (let i = 0; i < positive.length; i++) {
    const asymmetry = asymmetryOf(positive[i], negative[i]);
    if (asymmetry === undefined) continue;
    values[count++] = asymmetry;
    sum += asymmetry;
  }
  const sorted = values.subarray(0, count).sort();
  const at = (probability: number) => sorted[Math.round(probability * (count - 1))] ?? 0;
  return { mean: count > 0 ? sum / count : 0, p50: at(0.5), p95: at(0.95) };
}
