import { shapeAsMatrix } from '../../checkpoint/matrixShape.js';
import type { ModelTensor } from '../../checkpoint/types.js';
import { planChunks } from '../../compute/chunks.js';
import { findChunkBoundary, findTensorRanges } from '../../compute/tensorRanges.js';
import { formatForWidth, needsTensorRange } from '../../formats/index.js';
import type { ChunkApi, ChunkRef } from '../../compute/tasks.js';
import type { TaskOf } from '../../compute/taskMachine.js';
import type { TaskRunners } from '../../compute/webgpu/withFallback.js';
import type { WorkerPool } from '../../compute/workerPool.js';
import type { NumberFormat, ScaleDtype } from '../../formats/types.js';
import { ANY_NARROWER_TYPE } from '../../kernels/statistics/narrowerType.js';
import { outputBytesFor } from '../../kernels/workspace.js';
import { ErrorAccumulator, WeightAccumulator } from '../../metrics/errorAccumulator.js';
import type { CallOptions } from '../../rpc/rpc.js';
import { countBitsPerElement } from '../../storage/elementTypes.js';

/** What quantizing one tensor in every format came to. */
export interface QuantizedTensor {
  readonly tensor: ModelTensor;
  /** Rows are outputs, columns inputs: the tensor's shape, reversed where it is stored transposed. */
  readonly matrixShape: readonly number[];
  /** One per format asked for: itself, or what is stored in its place where rows do not fit its blocks. */
  readonly formats: readonly NumberFormat[];
  readonly weights: WeightAccumulator;
  /** See `findNarrowerTypes`. */
  readonly narrower: number;
  /** One per format, in the order asked for. */
  readonly errors: readonly ErrorAccumulator[];
}

export interface QuantizeTimes {
  /** Seconds that workers spent reading and in kernels, summed over them. */
  read: number;
  kernel: number;
}

/**
 * Receives dequantized weights of a tensor in the order in which they are stored. They lie in memory
 * that is used again once the sink's promise is settled (at once where it returns none).
 */
export type OutputSink = (tensor: ModelTensor, weights: Float32Array) => void | Promise<void>;

/** What is quantized. */
export interface QuantizeTensorsRequest {
  readonly tensors: readonly ModelTensor[];
  readonly formats: readonly NumberFormat[];
  readonly scaleDtype: ScaleDtype;
  /** Receives the dequantized weights of the first format, chunk by chunk in order. */
  readonly onOutput?: OutputSink;
  /** What runs the tasks where there is no output; absent: the pool. */
  readonly runners?: TaskRunners;
}

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
 */
export async function quantizeTensors(
  pool: WorkerPool,
  { tensors, formats, scaleDtype, onOutput, runners = pool }: QuantizeTensorsRequest,
  options: CallOptions = {},
): Promise<{ tensors: QuantizedTensor[]; times: QuantizeTimes }> {
  const { signal, onProgress } = options;
  const whole = formats.some(needsTensorRange);
  const ranges = whole ? await findTensorRanges(runners, tensors, signal) : undefined;
  const results = tensors.map((tensor) => {
    const matrixShape = shapeAsMatrix(tensor);
    return {
      tensor,
      matrixShape,
      formats: formats.map((format) => formatForWidth(format, matrixShape.at(-1))),
      weights: new WeightAccumulator(),
      narrower: tensor.storage ? 0 : ANY_NARROWER_TYPE,
      errors: formats.map(() => new ErrorAccumulator()),
    };
  });
  const owners: Owner[] = [];
  const times: QuantizeTimes = { read: 0, kernel: 0 };
  const total = tensors.reduce((sum, { elements }) => sum + elements, 0);
  const strips = onOutput && new StripOutput(onOutput);
  let done = 0;

  const { chunkElements } = onOutput ? pool : runners;
  function* tasks(): Generator<TaskOf<ChunkApi, 'quantize'>> {
    for (const [index, tensor] of tensors.entries()) {
      const stored = results[index].formats;
      const formatTasks = stored.map(({ id }) => ({ id, tensorRange: ranges?.[index] }));
      const boundary = findChunkBoundary(stored);
      for (const chunk of planChunks(tensor, { boundary, bands: true, chunkElements })) {
        const firstElement =
          (chunk.offset - tensor.offset) / (countBitsPerElement(tensor.dtype) / 8);
        owners.push({ tensor: index, chunk, firstElement });
        const outputBytes = onOutput && outputBytesFor(chunk.rows * chunk.columns);
        yield { chunk, formats: formatTasks, scaleDtype, outputBytes };
      }
    }
  }

  await (onOutput ? pool : runners).tasks<ChunkApi>().run(
    'quantize',
    tasks(),
    (result, index) => {
      const { tensor: owner, chunk, firstElement } = owners[index];
      const { tensor, weights, errors } = results[owner];
      results[owner].narrower &= result.narrower;
      weights.add(result.weights, (element) => storedIndex(chunk, firstElement, element));
      errors.forEach((accumulator, format) => accumulator.add(result.errors[format]));
      times.read += result.readSeconds;
      times.kernel += result.kernelSeconds;
      done += chunk.rows * chunk.columns;
      onProgress?.({ done, total, message: tensor.name });
      if (result.outputAt === undefined || !onOutput) return;
      const { rows, columns, storedStride } = chunk;
      const output = new Float32Array(pool.memory.buffer, result.outputAt, rows * columns);
      const inOnePiece = storedStride === undefined || storedStride === rows;
      return inOnePiece
        ? onOutput(tensor, output)
        : strips?.add(tensor, chunk, firstElement, output);
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

/** Gathers strips of transposed weights, which lie in the file in many pieces, to whole matrices: tensors or experts. */
class StripOutput {
  private stored = new Float32Array(0);
  private filled = 0;

  constructor(private readonly sink: OutputSink) {}

  /** @param output the strip in the order in which it is stored: `columns` runs of `rows` */
  add(
    tensor: ModelTensor,
    { rows, columns, storedStride = rows }: ChunkRef,
    firstElement: number,
    output: Float32Array,
  ): void | Promise<void> {
    const size = tensor.shape.slice(-2).reduce((product, each) => product * each, 1);
    if (this.filled === 0 && this.stored.length !== size) this.stored = new Float32Array(size);
    const first = firstElement % size;
    for (let column = 0; column < columns; column++) {
      const run = output.subarray(column * rows, (column + 1) * rows);
      this.stored.set(run, first + column * storedStride);
    }
    this.filled += output.length;
    if (this.filled < size) return;
    this.filled = 0;
    return this.sink(tensor, this.stored);
  }
}
