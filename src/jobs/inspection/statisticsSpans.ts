import type { ModelTensor } from '../../checkpoint/types.js';
import { ANYWHERE, planChunks, type ChunkBoundary } from '../../compute/chunks.js';
import { SPAN_SCRATCH_BYTES } from '../../compute/spans.js';
import type { PlacedAsymmetries, SpanApi } from '../../compute/tasks.js';
import type { ResultOf, TaskOf } from '../../compute/taskMachine.js';
import type { WorkerPool } from '../../compute/workerPool.js';
import type { AsymmetryAccumulator } from '../../metrics/asymmetries.js';
import type { CallOptions } from '../../rpc/rpc.js';

/** Weights of one task: a few tens of milliseconds, which is what a cancel may take. */
const SPAN_ELEMENTS = 1 << 24;
/** Groups of one task: an asymmetry of each waits in the shared memory. */
const SPAN_GROUPS = 1 << 21;

/** What is counted beside the statistics. */
export interface CountRequest {
  /** Of a histogram; absent: none. */
  readonly bins?: number;
  /** Absent: none. */
  readonly asymmetries?: AsymmetryRequest;
}

/** Asymmetries of a tensor's groups. */
export interface AsymmetryRequest {
  /** Columns. */
  readonly groupSize: number;
  readonly into: AsymmetryAccumulator;
}

/** Takes the asymmetries that a worker wrote to the shared memory. */
export function addAsymmetries(
  pool: WorkerPool,
  request: AsymmetryRequest | undefined,
  part: PlacedAsymmetries | undefined,
): void {
  if (!request || !part) return;
  request.into.add(new Float32Array(pool.memory.buffer, part.at, part.count), part.sum);
}

/** How a tensor is cut for its statistics. */
export interface SpanOptions extends CallOptions {
  /** Weights per task. */
  readonly spanElements?: number;
  readonly boundary?: ChunkBoundary;
}

/** What is run over spans. */
interface SpanCall<Name extends keyof SpanApi> {
  readonly method: Name;
  /** Beside the span. */
  readonly parameters: Omit<TaskOf<SpanApi, Name>, 'chunk' | 'scratchBytes' | 'outputBytes'>;
  /** @param firstElement index of the span's first element */
  readonly onResult: (result: ResultOf<SpanApi, Name>, firstElement: number) => void;
}

/** Runs a method over the spans of a tensor; results come in their order. */
export async function runOverSpans<Name extends keyof SpanApi>(
  pool: WorkerPool,
  tensor: ModelTensor,
  { method, parameters, onResult }: SpanCall<Name>,
  { signal, onProgress, spanElements = SPAN_ELEMENTS, boundary = ANYWHERE }: SpanOptions,
): Promise<void> {
  const { groupSize } = parameters as { readonly groupSize?: number };
  const most = groupSize ? groupSize * SPAN_GROUPS : Infinity;
  const chunkElements = Math.min(spanElements, most);
  const sizes: number[] = [];
  function* tasks(): Generator<TaskOf<SpanApi, Name>> {
    const chunks = planChunks(tensor, { boundary, asStored: true, chunkElements });
    for (const chunk of chunks) {
      sizes.push(chunk.rows * chunk.columns);
      const outputBytes = groupSize && chunk.rows * Math.ceil(chunk.columns / groupSize) * 4;
      const task = { ...parameters, chunk, scratchBytes: SPAN_SCRATCH_BYTES, outputBytes };
      yield task as unknown as TaskOf<SpanApi, Name>;
    }
  }
  let done = 0;
  await pool.tasks<SpanApi>().run(
    method,
    tasks(),
    (result, index) => {
      onResult(result, done);
      done += sizes[index];
      onProgress?.({ done, total: tensor.elements, message: tensor.name });
    },
    signal,
  );
}
