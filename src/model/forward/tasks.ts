import type { ScaleDtype } from '../../formats/types.js';
import type { Run, SquareMatrix } from '../../kernels/calibrationKernels.js';
import type { Matrix, RowRounding } from '../../kernels/forwardKernels.js';
import type { WeightSums } from '../../kernels/types.js';
import type { ElementTypeName } from '../../storage/elementTypes.js';
import type { ChunkTask, FormatTask, ScratchTask } from '../../compute/tasks.js';
import type { SourceRef } from '../../storage/sourceRef.js';
import type { Block, FeedForward, InputSite } from './block.js';
import type { PlacedNoise, WeightNoise } from './weightNoise.js';

/** How rows of activations are rounded; see `RowRounding`. */
export type PlacedRounding = Pick<RowRounding, 'levels' | 'scale' | 'channelScales'>;

/** A linear map in the shared memory: packed panels and bias (0: none). */
export interface PlacedLinear {
  readonly packed: number;
  readonly bias: number;
  readonly outputs: number;
  readonly inputs: number;
  /** What is done to its inputs; absent: nothing. */
  readonly inputRounding?: PlacedRounding;
  /** The same of what comes out of it. */
  readonly outputRounding?: PlacedRounding;
}

/** A norm in the shared memory; weight and bias are addresses, 0: none. */
export interface PlacedNorm {
  readonly kind: 'rms' | 'layer';
  readonly weight: number;
  readonly bias: number;
  readonly epsilon: number;
  readonly weightOffset: number;
}

export type PlacedBlock = Block<PlacedLinear, PlacedNorm>;

/** Tables of cosines and sines, f32 [positions × dims/2]; addresses. */
export interface PlacedRotary {
  readonly dims: number;
  readonly interleaved: boolean;
  readonly cos: number;
  readonly sin: number;
}

/** Consecutive rows of one window. */
export interface RowSegment {
  readonly rows: number;
  /** Position of the first row in its window. */
  readonly position: number;
  readonly rotary?: PlacedRotary;
  /** Of blocks that ask for it. */
  readonly localRotary?: PlacedRotary;
}

/** Where inputs of linear maps are copied to, as rows of f32, of those that someone observes. */
export type InputCopies<Site extends string> = Partial<Readonly<Record<Site, Matrix>>>;

/** What a router leaves for the experts of some rows. */
export interface RoutedRows {
  /** What experts take, f32 [rows × hidden size]. */
  readonly inputs: Matrix;
  /** Address of where rows go: of each row its experts, i32, then as many weights, f32. */
  readonly routes: number;
}

/** Consecutive rows of one model's hidden states and the buffers that belong to them. */
export interface RowTile {
  readonly hidden: Matrix;
  /** Queries, keys and values. */
  readonly projected: Matrix;
  /** What attention came to, head after head. */
  readonly attended: Matrix;
  readonly segments: readonly RowSegment[];
  readonly inputs?: InputCopies<InputSite>;
  /** Of blocks with a router. */
  readonly routed?: RoutedRows;
}

/** What some rows of a tensor are read from. */
export interface StoredMatrix {
  readonly source: SourceRef;
  readonly offset: number;
  readonly dtype: ElementTypeName;
  readonly rows: number;
  readonly columns: number;
}

export interface GatherTask extends ScratchTask {
  readonly matrix: StoredMatrix;
  /** One per row of the target. */
  readonly rows: Int32Array;
  readonly target: Matrix;
  readonly scale: number;
  /** Add to what is there. */
  readonly add: boolean;
  /** Added before rows are quantized; absent: none. */
  readonly noise?: WeightNoise;
  readonly format?: FormatTask;
  readonly scaleDtype: ScaleDtype;
}

export interface PackTask extends ChunkTask {
  readonly memoryEnd: number;
  /** Address of the chunk's first panel. */
  readonly target: number;
  /** Added to the chunk before it is quantized; absent: none. */
  readonly noise?: PlacedNoise;
  /** Absent: as stored. */
  readonly format?: FormatTask;
  readonly scaleDtype: ScaleDtype;
}

export interface LoadVectorTask extends ChunkTask {
  readonly memoryEnd: number;
  readonly target: number;
}

export interface LoadBytesTask extends ScratchTask {
  readonly source: SourceRef;
  readonly offset: number;
  readonly bytes: number;
  readonly target: number;
}

export interface LinearTask extends ScratchTask {
  readonly linear: PlacedLinear;
  readonly source: Matrix;
  readonly rows: number;
  readonly target: Matrix;
}

export interface ProjectTask extends ScratchTask {
  readonly block: PlacedBlock;
  readonly tile: RowTile;
}

export interface AttendTask extends ScratchTask {
  readonly attention: PlacedBlock['attention'];
  readonly rows: number;
  readonly projected: Matrix;
  readonly attended: Matrix;
  readonly firstKeyValueHead: number;
  readonly keyValueHeads: number;
}

export interface FinishTask extends ScratchTask {
  readonly block: PlacedBlock;
  readonly tile: RowTile;
}

/** Rows as attention or a feed-forward part takes them. */
export interface SiteInputsTask extends ScratchTask {
  /** Absent: as they are. */
  readonly norm?: PlacedNorm;
  readonly source: Matrix;
  readonly rows: number;
  readonly columns: number;
  readonly target: Matrix;
}

/** Rows as the last map of a feed-forward part takes them. */
export interface ActivateTask extends ScratchTask {
  readonly block: PlacedBlock;
  /** Hidden states, before the part's norm. */
  readonly source: Matrix;
  readonly rows: number;
  readonly target: Matrix;
}

/** What a feed-forward part adds, from the inputs of its last map. */
export interface AddFeedForwardTask extends ScratchTask {
  readonly block: PlacedBlock;
  readonly source: Matrix;
  readonly rows: number;
  readonly hidden: Matrix;
}

/** An expert whose weights are in memory. */
export interface PlacedExpert {
  /** Its number, as routes have it. */
  readonly expert: number;
  readonly feedForward: FeedForward<PlacedLinear>;
}

export interface ExpertsTask extends ScratchTask {
  readonly experts: readonly PlacedExpert[];
  readonly expertsPerRow: number;
  readonly rows: number;
  readonly hidden: Matrix;
  readonly routed: RoutedRows;
}

/** Rows as an expert's first maps, or its last one, take them. */
export interface ExpertInputsTask extends ScratchTask {
  readonly feedForward: FeedForward<PlacedLinear>;
  readonly site: 'feedForward' | 'down';
  /** What experts take, of all rows. */
  readonly source: Matrix;
  /** Those that go to the expert, at most `EXPERT_ROWS`. */
  readonly rows: readonly number[];
  readonly target: Matrix;
}

/** What follows the last block. */
export interface PlacedEnd {
  readonly norm?: PlacedNorm;
  readonly projection?: PlacedLinear;
  readonly logitScale: number;
  readonly logitSoftCap: number;
}

export interface ScoreTask extends ScratchTask {
  readonly rows: number;
  readonly hiddenSize: number;
  /** Length of what the head takes. */
  readonly headInputs: number;
  /** i32 [rows]; −1: no target. */
  readonly targets: number;
  /** The unquantized model first. */
  readonly models: readonly {
    readonly hidden: Matrix;
    readonly end: PlacedEnd;
    /** The piece of the head that this model uses. */
    readonly head: PlacedLinear;
    /** f64 [rows × SCORE.length]. */
    readonly sums: number;
  }[];
  /** Token of the first row of the piece. */
  readonly firstToken: number;
}

/** Running sums of rows, as {@link ScoreTask} has them. */
export interface SumsTask extends ScratchTask {
  readonly sums: number;
  readonly rows: number;
}

export interface LogitsTask extends ScratchTask {
  readonly end: PlacedEnd;
  readonly rows: number;
  readonly hiddenSize: number;
  readonly headInputs: number;
  readonly hidden: Matrix;
  readonly head: PlacedLinear;
}

export interface FinalInputsTask extends ScratchTask {
  readonly end: PlacedEnd;
  readonly rows: number;
  readonly hiddenSize: number;
  readonly headInputs: number;
  readonly hidden: Matrix;
  readonly inputs: InputCopies<FinalSite>;
}

/** Linear maps behind the blocks. */
export type FinalSite = 'outputProjection' | 'head';

/** The forward pass as a compute worker does it: each method takes some rows one step further. */
export interface ForwardApi {
  /** Copies bytes of a file into the shared memory. */
  loadBytes(task: LoadBytesTask): Promise<void>;
  /** Decodes a chunk to f32 at an address. */
  loadVector(task: LoadVectorTask): Promise<void>;
  /** Decodes, quantizes and packs a chunk of a linear weight; its rows start at a panel. */
  packWeights(task: PackTask): Promise<WeightSums>;
  /** Rows of an embedding. */
  gatherRows(task: GatherTask): Promise<void>;
  applyLinear(task: LinearTask): Promise<void>;
  /** Norm, queries, keys and values, rotation. */
  project(task: ProjectTask): Promise<void>;
  attend(task: AttendTask): Promise<void>;
  /** Output projection, feed-forward part or router, sums. */
  finish(task: FinishTask): Promise<void>;
  /** Adds what some experts come to, to the rows that were routed to them. */
  applyExperts(task: ExpertsTask): Promise<void>;
  /** Copies what the linear maps behind the blocks take. */
  finalInputs(task: FinalInputsTask): Promise<void>;
  /** Sets running sums to those of no logits. */
  startScores(task: SumsTask): Promise<void>;
  /** Running sums: [rows × SCORE.length]. */
  readScores(task: SumsTask): Promise<Float64Array>;
  /** Logits of a piece of the vocabulary, taken into running sums. */
  score(task: ScoreTask): Promise<void>;
  /** Logits of a piece of the vocabulary: f32 [rows × outputs of the piece]. */
  logits(task: LogitsTask): Promise<Float32Array>;
}

/** What calibration needs beside a forward pass; threads do it, and no GPU. */
export interface StageApi {
  /** The steps of a block one by one, for those who change weights between them. */
  siteInputs(task: SiteInputsTask): Promise<void>;
  addAttention(task: FinishTask): Promise<void>;
  activate(task: ActivateTask): Promise<void>;
  addFeedForward(task: AddFeedForwardTask): Promise<void>;
  /** Copies what an expert's linear maps take. */
  expertInputs(task: ExpertInputsTask): Promise<void>;
  /** A chunk of a linear weight as f32 rows, decoded and quantized as `packWeights` does it. */
  loadRows(task: PackTask): Promise<WeightSums>;
  /** A chunk of Q(w·s)/s, packed. */
  packScaled(task: ScaledTask): Promise<void>;
  /** The same as f32 rows. */
  loadScaled(task: ScaledTask): Promise<void>;
  /** Rows of a gram as f32, packed like weights. */
  packGram(task: PackGramTask): Promise<void>;
  /** Σ d·G·dᵀ over rows d. */
  quadraticForm(task: QuadraticFormTask): Promise<number>;
  /** Rows of f32, each column divided by its factor. */
  divideRows(task: DivideRowsTask): Promise<void>;
  /** Σ(a − b)² over two matrices of f32; of one, Σa². */
  squaredDifference(task: DifferenceOfRowsTask): Promise<number>;
}

/** A chunk of weights whose columns are scaled before they are quantized, and scaled back. */
export interface ScaledTask extends PackTask {
  /** f32, one per column; absent: none. */
  readonly factors?: Float32Array;
  /** Divide by the factors in the end. */
  readonly scaleBack: boolean;
  /** Take the chunk as it is stored away from the result. */
  readonly lessStored: boolean;
}

export interface PackGramTask extends ScratchTask {
  /** f64. */
  readonly gram: SquareMatrix;
  /** Rows; the first is a multiple of a panel's. */
  readonly band: Run;
  /** Address of all of it, packed. */
  readonly target: number;
}

export interface QuadraticFormTask extends ScratchTask {
  /** f32 [rows × order]. */
  readonly matrix: Matrix;
  readonly rows: number;
  readonly order: number;
  /** Address of G, packed by `packGram`. */
  readonly products: number;
}

export interface DivideRowsTask extends ScratchTask {
  readonly source: Matrix;
  readonly target: Matrix;
  readonly rows: number;
  readonly columns: number;
  /** f32 [columns]. */
  readonly factors: Float32Array;
}

export interface DifferenceOfRowsTask extends ScratchTask {
  readonly one: Matrix;
  readonly other?: Matrix;
  readonly rows: number;
  readonly columns: number;
}
