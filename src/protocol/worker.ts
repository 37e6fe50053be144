import type { ScaleDtype } from '../formats/types.js';
import type { ErrorSums, FixedRange, WeightSums } from '../kernels/types.js';
import type { MemoryRegion } from '../kernels/workspace.js';
import type {
  RefinedStatistics,
  Refinement,
  WideStatistics,
} from '../kernels/statistics/wideStatistics.js';
import type { SafetensorsDtype } from '../safetensors/types.js';
import type { ForwardApi } from './forward.js';

/** Where a worker finds a file's bytes. */
export type SourceRef =
  | { readonly kind: 'file'; readonly name: string; readonly path: string }
  | { readonly kind: 'memory'; readonly name: string; readonly bytes: SharedArrayBuffer };

/** A run of whole rows (or a part of one row) of a tensor. */
export interface ChunkRef {
  readonly source: SourceRef;
  /** First byte in the file. */
  readonly offset: number;
  readonly dtype: SafetensorsDtype;
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
  /** Send the dequantized weights of the first format back. */
  readonly keepOutput: boolean;
}

export interface QuantizeResult {
  readonly weights: WeightSums;
  /** One per format, in the order asked for. */
  readonly errors: readonly ErrorSums[];
  readonly output?: Float32Array;
  readonly readSeconds: number;
  readonly kernelSeconds: number;
}

/** What a compute worker does. One task at a time; nothing outlives a task but open files. */
export interface WorkerApi extends ForwardApi {
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
  closeFiles(argument: null): Promise<void>;
}
