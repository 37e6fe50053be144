import type { ScaleDtype } from '../formats/types.js';
import type { ErrorSums, FixedRange, WeightSums } from '../kernels/types.js';
import type { MemoryRegion } from '../kernels/workspace.js';
import type {
  RefinedStatistics,
  Refinement,
  WideStatistics,
} from '../kernels/statistics/wideStatistics.js';
import type { ElementTypeName } from '../storage/elementTypes.js';
import type { SourceRef } from '../storage/sourceRef.js';

/** A run of whole rows (or a part of one row) of a tensor. */
export interface ChunkRef {
  readonly source: SourceRef;
  /** First byte in the file. */
  readonly offset: number;
  readonly dtype: ElementTypeName;
  readonly rows: number;
  readonly columns: number;
  /**
   * Present where rows are stored as columns: elements from one stored row to the next. The chunk
   * is a strip of the stored matrix; its groups run down the strip.
   */
  readonly storedStride?: number;
}

/** Every task names its chunk and the region of the shared memory that the worker may use. */
export interface ChunkTask {
  readonly chunk: ChunkRef;
  readonly region: MemoryRegion;
}

export interface FormatTask {
  /** Canonical format name. */
  readonly id: string;
  /** Extremes of the tensor, for formats that need them. */
  readonly tensorRange?: FixedRange;
}

export interface QuantizeTask extends ChunkTask {
  readonly formats: readonly FormatTask[];
  readonly scaleDtype: ScaleDtype;
  /**
   * Asks for the dequantized weights of the first format: bytes, see `outputBytesFor`.
   * Without it only the errors are found.
   */
  readonly outputBytes?: number;
  /** Where the pool wants them: F32, in the order in which the chunk is stored. */
  readonly output?: MemoryRegion;
}

export interface QuantizeResult {
  readonly weights: WeightSums;
  /** One per format, in the order asked for. */
  readonly errors: readonly ErrorSums[];
  /** Address of the dequantized weights in the shared memory. */
  readonly outputAt?: number;
  readonly readSeconds: number;
  readonly kernelSeconds: number;
}

/** A task that needs scratch but reads no chunk of a file. */
export interface ScratchTask {
  readonly region: MemoryRegion;
  readonly scratchBytes: number;
  /** End of the shared memory in use, so that a worker sees what was added to it. */
  readonly memoryEnd: number;
}

/** What a compute worker does with chunks of tensors. One task at a time; nothing outlives a task. */
export interface ChunkApi {
  quantize(task: QuantizeTask): Promise<QuantizeResult>;
  inspect(task: ChunkTask): Promise<WeightSums>;
  /** Counts codes of an element type of at most 16 bits, and finds the first non-finite weight. */
  countCodes(
    task: ChunkTask,
  ): Promise<{ readonly counts: Uint32Array; readonly firstNonFinite: number }>;
  wideStatistics(task: ChunkTask): Promise<WideStatistics>;
  refineStatistics(task: ChunkTask & Refinement): Promise<RefinedStatistics>;
  groupExtremes(
    task: ChunkTask & { readonly groupSize: number },
  ): Promise<{ readonly positive: Float32Array; readonly negative: Float32Array }>;
}

/** What every worker does beside its tasks. */
export interface WorkerControl {
  /** Closes the files that tasks have left open. */
  closeFiles(argument: unknown): Promise<void>;
}
