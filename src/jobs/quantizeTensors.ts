import { planChunks } from '../compute/chunks.js';
import { sourceOf } from '../compute/sources.js';
import { chunkBoundary, needsTensorRange, tensorRanges } from '../compute/tensorRanges.js';
import type { TaskOf, WorkerPool } from '../compute/workerPool.js';
import type { NumberFormat, ScaleDtype } from '../formats/types.js';
import { ErrorAccumulator, WeightAccumulator } from '../metrics/errorAccumulator.js';
import { transposedWeights } from '../model/languageModel.js';
import type { CallOptions } from '../protocol/rpc.js';
import type { ChunkRef } from '../protocol/worker.js';
import { DTYPES } from '../safetensors/dtypes.js';
import type { Checkpoint, CheckpointTensor } from '../safetensors/types.js';
import { matrixShapeOf } from './formatList.js';

/** What quantizing one tensor in every format came to. */
export interface QuantizedTensor {
  readonly tensor: CheckpointTensor;
  /** Rows are outputs, columns inputs: the tensor's shape, turned where it is stored transposed. */
  readonly matrixShape: readonly number[];
  readonly weights: WeightAccumulator;
  /** One per format, in the order asked for. */
  readonly errors: readonly ErrorAccumulator[];
}

export interface QuantizeTimes {
  /** Seconds that workers spent reading and in kernels, summed over them. */
  read: number;
  kernel: number;
}

/** Receives dequantized weights of a tensor in the order in which they are stored. */
export type OutputSink = (tensor: CheckpointTensor, weights: Float32Array) => void | Promise<void>;

/** A chunk's place in its tensor. */
interface Owner {
  readonly tensor: number;
  readonly chunk: ChunkRef;
  readonly firstElement: number;
}

/**
 * Quantizes tensors in all formats, reading each weight once (twice for formats with one group per
 * tensor). Sums are merged in file order, so they do not depend on the number of threads. Weights
 * that an architecture stores transposed are quantized along their inputs all the same.
 * @param onOutput receives the dequantized weights of the first format, chunk by chunk in order
 */
export async function quantizeTensors(
  pool: WorkerPool,
  checkpoint: Checkpoint,
  tensors: readonly CheckpointTensor[],
  formats: readonly NumberFormat[],
  scaleDtype: ScaleDtype,
  options: CallOptions = {},
  onOutput?: OutputSink,
): Promise<{ tensors: QuantizedTensor[]; times: QuantizeTimes }> {
  const { signal, onProgress } = options;
  const whole = formats.some(needsTensorRange);
  const ranges = whole ? await tensorRanges(pool, checkpoint, tensors, signal) : undefined;
  const transposed = await transposedWeights(checkpoint);
  const boundary = chunkBoundary(formats);
  const results = tensors.map((tensor) => ({
    tensor,
    matrixShape: matrixShapeOf(tensor, transposed),
    weights: new WeightAccumulator(),
    errors: formats.map(() => new ErrorAccumulator()),
  }));
  const owners: Owner[] = [];
  const times: QuantizeTimes = { read: 0, kernel: 0 };
  const total = tensors.reduce((sum, { elements }) => sum + elements, 0);
  const turned = onOutput && new TurnedOutput(onOutput);
  let done = 0;

  function* tasks(): Generator<TaskOf<'quantize'>> {
    for (const [index, tensor] of tensors.entries()) {
      const source = sourceOf(checkpoint, tensor);
      const formatTasks = formats.map(({ id }) => ({
        id,
        tensorRange: ranges?.[index],
      }));
      const chunks = planChunks(tensor, source, {
        boundary,
        transposed: transposed.has(tensor.name),
      });
      for (const chunk of chunks) {
        const firstElement = (chunk.offset - tensor.offset) / (DTYPES[tensor.dtype].bits / 8);
        owners.push({ tensor: index, chunk, firstElement });
        yield { chunk, formats: formatTasks, scaleDtype, keepOutput: onOutput !== undefined };
      }
    }
  }

  await pool.run(
    'quantize',
    tasks(),
    (result, index) => {
      const { tensor: owner, chunk, firstElement } = owners[index];
      const { tensor, weights, errors } = results[owner];
      weights.add(result.weights, (element) => storedIndex(chunk, firstElement, element));
      errors.forEach((accumulator, format) => accumulator.add(result.errors[format]));
      times.read += result.readSeconds;
      times.kernel += result.kernelSeconds;
      done += chunk.rows * chunk.columns;
      onProgress?.({ done, total, message: tensor.name });
      if (!result.output || !onOutput) return;
      if (chunk.storedStride === undefined) return onOutput(tensor, result.output);
      return turned?.add(tensor, chunk, firstElement, result.output);
    },
    signal,
  );
  return { tensors: results, times };
}

/** Index in the tensor of an element of a chunk, counted in the order in which it was read. */
function storedIndex({ rows, storedStride }: ChunkRef, first: number, element: number): number {
  if (storedStride === undefined) return first + element;
  return first + Math.floor(element / rows) * storedStride + (element % rows);
}

/** Turns the rows of transposed weights back into the order in which they are stored. */
class TurnedOutput {
  private stored = new Float32Array(0);
  private filled = 0;

  constructor(private readonly sink: OutputSink) {}

  add(
    tensor: CheckpointTensor,
    { rows, columns, storedStride = 0 }: ChunkRef,
    firstElement: number,
    output: Float32Array,
  ): void | Promise<void> {
    if (this.filled === 0) this.stored = new Float32Array(tensor.elements);
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        this.stored[firstElement + column * storedStride + row] = output[row * columns + column];
      }
    }
    this.filled += output.length;
    if (this.filled < tensor.elements) return;
    this.filled = 0;
    return this.sink(tensor, this.stored);
  }
}
