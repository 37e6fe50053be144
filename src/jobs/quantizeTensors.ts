import {
  ANYWHERE,
  leastCommonMultiple,
  planChunks,
  type ChunkBoundary,
} from '../compute/chunks.js';
import type { TaskOf, WorkerPool } from '../compute/workerPool.js';
import type { NumberFormat, ScaleDtype } from '../formats/types.js';
import type { FixedRange } from '../kernels/types.js';
import { ErrorAccumulator, WeightAccumulator } from '../metrics/errorAccumulator.js';
import type { CallOptions } from '../protocol/rpc.js';
import type { ChunkRef } from '../protocol/worker.js';
import type { Checkpoint, CheckpointTensor } from '../safetensors/types.js';
import { sourceOf } from './sources.js';

/** What quantizing one tensor in every format came to. */
export interface QuantizedTensor {
  readonly tensor: CheckpointTensor;
  readonly weights: WeightAccumulator;
  /** One per format, in the order asked for. */
  readonly errors: readonly ErrorAccumulator[];
}

export interface QuantizeTimes {
  /** Seconds that workers spent reading and in kernels, summed over them. */
  read: number;
  kernel: number;
}

/** Where all these formats allow a tensor to be cut. */
export function chunkBoundary(formats: readonly NumberFormat[]): ChunkBoundary {
  let columns = 1;
  let blocks = 1;
  let wholeRows = false;
  for (const { group } of formats) {
    if (group.kind === 'row') wholeRows = true;
    if (group.kind === 'columns') columns = leastCommonMultiple(columns, group.size);
    if (group.kind === 'blocks') blocks = leastCommonMultiple(blocks, group.size);
  }
  return { columns: wholeRows ? 'row' : columns, blocks };
}

/** True for formats whose groups depend on the whole tensor. */
function needsTensorRange({ entry, group }: NumberFormat): boolean {
  const { rule } = entry;
  return (
    (group.kind === 'tensor' && rule.kind !== 'cast') ||
    (rule.kind === 'grid' && rule.scaling === 'e4m3-two-level')
  );
}

/** Extremes of whole tensors. */
async function tensorRanges(
  pool: WorkerPool,
  checkpoint: Checkpoint,
  tensors: readonly CheckpointTensor[],
  signal?: AbortSignal,
): Promise<FixedRange[]> {
  const owners: number[] = [];
  const totals = tensors.map(() => new WeightAccumulator());
  function* tasks() {
    for (const [index, tensor] of tensors.entries()) {
      for (const chunk of planChunks(tensor, sourceOf(checkpoint, tensor), ANYWHERE)) {
        owners.push(index);
        yield { chunk };
      }
    }
  }
  await pool.run('inspect', tasks(), (sums, index) => totals[owners[index]].add(sums), signal);
  return totals.map(({ min, max }) => ({ lo: min, hi: max }));
}

/**
 * Quantizes tensors in all formats, reading each weight once (twice for formats with one group per
 * tensor). Sums are merged in file order, so they do not depend on the number of threads.
 * @param onOutput receives the dequantized weights of the first format, chunk by chunk in order
 */
export async function quantizeTensors(
  pool: WorkerPool,
  checkpoint: Checkpoint,
  tensors: readonly CheckpointTensor[],
  formats: readonly NumberFormat[],
  scaleDtype: ScaleDtype,
  options: CallOptions = {},
  onOutput?: (tensor: CheckpointTensor, weights: Float32Array) => void | Promise<void>,
): Promise<{ tensors: QuantizedTensor[]; times: QuantizeTimes }> {
  const { signal, onProgress } = options;
  const whole = formats.some(needsTensorRange);
  const ranges = whole ? await tensorRanges(pool, checkpoint, tensors, signal) : undefined;
  const boundary = chunkBoundary(formats);
  const results = tensors.map((tensor) => ({
    tensor,
    weights: new WeightAccumulator(),
    errors: formats.map(() => new ErrorAccumulator()),
  }));
  const owners: { readonly tensor: number; readonly elements: number }[] = [];
  const times: QuantizeTimes = { read: 0, kernel: 0 };
  const total = tensors.reduce((sum, { elements }) => sum + elements, 0);
  let done = 0;

  function* tasks(): Generator<TaskOf<'quantize'>> {
    for (const [index, tensor] of tensors.entries()) {
      const source = sourceOf(checkpoint, tensor);
      const formatTasks = formats.map(({ id }) => ({
        id,
        tensorRange: ranges?.[index],
      }));
      for (const chunk of planChunks(tensor, source, boundary)) {
        owners.push({ tensor: index, elements: elementsOf(chunk) });
        yield { chunk, formats: formatTasks, scaleDtype, keepOutput: onOutput !== undefined };
      }
    }
  }

  await pool.run(
    'quantize',
    tasks(),
    (result, index) => {
      const { tensor: owner, elements } = owners[index];
      const { tensor, weights, errors } = results[owner];
      weights.add(result.weights);
      errors.forEach((accumulator, format) => accumulator.add(result.errors[format]));
      times.read += result.readSeconds;
      times.kernel += result.kernelSeconds;
      done += elements;
      onProgress?.({ done, total, message: tensor.name });
      if (result.output && onOutput) return onOutput(tensor, result.output);
    },
    signal,
  );
  return { tensors: results, times };
}

function elementsOf({ rows, columns }: ChunkRef): number {
  return rows * columns;
}
