import type { ModelTensor } from '../../checkpoint/types.js';
import { ANYWHERE, planChunks, type ChunkBoundary } from '../../compute/chunks.js';
import { SPAN_SCRATCH_BYTES } from '../../compute/spans.js';
import type { SpanApi } from '../../compute/tasks.js';
import type { ResultOf, TaskOf, WorkerPool } from '../../compute/workerPool.js';
import type { CallOptions } from '../../rpc/rpc.js';

/** Weights of one task: a few tens of milliseconds, which is what a cancel may take. */
export const SPAN_ELEMENTS = 1 << 24;

/** How a tensor is cut for its statistics. */
export interface SpanOptions extends CallOptions {
  /** Weights per task. */
  readonly spanElements?: number;
  readonly boundary?: ChunkBoundary;
}

/**
 * Runs a method over the spans of a tensor in order.
 * @param onResult also gets the index of the span's first element
 */
export async function overSpans<Name extends keyof SpanApi>(
  pool: WorkerPool,
  tensor: ModelTensor,
  method: Name,
  extra: Omit<TaskOf<SpanApi, Name>, 'chunk' | 'scratchBytes' | 'outputBytes'>,
  onResult: (result: ResultOf<SpanApi, Name>, firstElement: number) => void,
  { signal, onProgress, spanElements = SPAN_ELEMENTS, boundary = ANYWHERE }: SpanOptions,
): Promise<void> {
  const { groupSize } = extra as { readonly groupSize?: number };
  const sizes: number[] = [];
  function* tasks(): Generator<TaskOf<SpanApi, Name>> {
    const chunks = planChunks(tensor, { boundary, asStored: true, chunkElements: spanElements });
    for (const chunk of chunks) {
      sizes.push(chunk.rows * chunk.columns);
      const outputBytes = groupSize && chunk.rows * Math.ceil(chunk.columns / groupSize) * 4;
      const task = { ...extra, chunk, scratchBytes: SPAN_SCRATCH_BYTES, outputBytes };
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
