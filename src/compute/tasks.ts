import type { ScaleDtype } from '../formats/types.js';
import type { ErrorSums, FixedRange, WeightSums } from '../kernels/types.js';
import type { MemoryRegion } from '../kernels/workspace.js';
import type { HistogramEdges } from '../kernels/statistics/bins.js';
import type { WeightMoments } from '../kernels/statistics/moments.js';
import type { SparseCounts } from '../kernels/statistics/sparseCounts.js';
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
  /** See `findNarrowerTypes`; none for other types than F32. */
  readonly narrower: number;
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
  groupExtremes(
    task: ChunkTask & { readonly groupSize: number },
  ): Promise<{ readonly positive: Float32Array; readonly negative: Float32Array }>;
}

/** A task over a span of a tensor that may be much larger than a worker's memory. */
export interface SpanTask extends ScratchTask {
  /** As stored: never a strip of transposed weights. */
  readonly chunk: ChunkRef;
}

export interface StatisticsTask extends SpanTask {
  /** Columns per group, for asymmetries; the span then holds whole groups. */
  readonly groupSize?: number;
  /** Bytes for the asymmetries: an f32 for each group. */
  readonly outputBytes?: number;
  readonly output?: MemoryRegion;
}

/** Asymmetries of a span's groups in the shared memory, see `GroupAsymmetries`. */
export interface PlacedAsymmetries {
  /** Address of the f32 values. */
  readonly at: number;
  readonly count: number;
  readonly sum: number;
}

export interface CodeStatistics {
  /** By code. */
  readonly codes: SparseCounts;
  /** Index in the span of the first NaN or ±Inf, or −1. */
  readonly firstNonFinite: number;
  readonly asymmetries?: PlacedAsymmetries;
}

/** First pass over a wide element type: what needs no knowledge of the whole tensor. */
export interface WideStatistics extends WeightMoments {
  /** By the upper half of an f32's bits; NaN and ±Inf too. */
  readonly uppers: SparseCounts;
  /** See `findNarrowerTypes`; none for other types than F32. */
  readonly narrower: number;
  readonly asymmetries?: PlacedAsymmetries;
}

/** What the second pass looks for. */
export interface RefinementTask extends SpanTask {
  /** Absent: no histogram. */
  readonly edges?: HistogramEdges;
  /** Upper halves of bits whose lower halves are to be counted, for exact quantiles. */
  readonly uppers: readonly number[];
}

export interface RefinedStatistics {
  /** Finite weights in each bin. */
  readonly histogram: Uint32Array;
  /** By index of the upper half × 65,536 + lower half. */
  readonly lowers: SparseCounts;
}

/** What a compute worker counts in spans of tensors. */
export interface SpanApi {
  /** For element types of at most 16 bits. */
  countCodes(task: StatisticsTask): Promise<CodeStatistics>;
  wideStatistics(task: StatisticsTask): Promise<WideStatistics>;
  refineStatistics(task: RefinementTask): Promise<RefinedStatistics>;
}

/** What every worker does beside its tasks. */
export interface WorkerControl {
  /** Closes the files that tasks have left open. */
  closeFiles(argument: unknown): Promise<void>;
}
