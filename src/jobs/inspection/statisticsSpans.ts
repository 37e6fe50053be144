import type { ModelTensor } from '../../checkpoint/types.js';
import { ANYWHERE, planChunks, type ChunkBoundary } from '../../compute/chunks.js';
import { SPAN_SCRATCH_BYTES } from '../../compute/spans.js';
import type { SpanApi } from '../../compute/tasks.js';
import type { ResultOf, TaskOf, WorkerPool } from '../../compute/workerPool.js';
import type { CallOptions } from '../../rpc/rpc.js';
import type { GatheredAsymmetries } from './gatheredAsymmetries.js';

/** Weights of one task: a few tens of milliseconds, which is what a cancel may take. */
const SPAN_ELEMENTS = 1 << 24;

/** What is counted beside the statistics. */
export interface CountRequest {
  /** Of a histogram; absent: none. */
  readonly bins?: number;
  /** Collects those of the groups, where they are asked for. */
  readonly asymmetries?: GatheredAsymmetries;
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
  const sizes: number[] = [];
  function* tasks(): Generator<TaskOf<SpanApi, Name>> {
    const chunks = planChunks(tensor, { boundary, asStored: true, chunkElements: spanElements });
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
