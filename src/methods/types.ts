import type { TaskMachine } from '../compute/taskMachine.js';
import type { ActivationFormat, FixedRounding } from '../formats/activations.js';
import type { NumberFormat, ScaleDtype } from '../formats/types.js';
import type { Matrix } from '../kernels/forwardKernels.js';
import type { CallOptions } from '../rpc/rpc.js';

/** A linear map whose weights lie in a machine's memory. */
export interface CalibratedLinear {
  /** Tensor that its weights are stored as. */
  readonly name: string;
  readonly outputs: number;
  /** f32 [outputs × inputs]; a step replaces them in place. */
  readonly weights: Matrix;
}

/** Σxᵀx over the inputs that calibration saw. */
export interface Gram {
  /** Address of f64 [inputs × inputs], symmetric, row-major. */
  readonly at: number;
  /** Rows that were added. */
  readonly rows: number;
}

/** Over the rows that calibration saw, for each input: f32 [inputs]. */
export interface InputStatistics {
  readonly meanAbs: Float32Array;
  readonly maxAbs: Float32Array;
  readonly min: Float32Array;
  readonly max: Float32Array;
}

/** Inputs that linear maps of a block share, in the order in which a block computes them. */
export type SiteName = 'attention' | 'attentionOutput' | 'feedForward' | 'down';

/** Linear maps that take the same inputs, and what they take. */
export interface CalibrationSite {
  readonly machine: TaskMachine;
  /** Index of the block. */
  readonly block: number;
  readonly inputs: number;
  readonly linears: readonly CalibratedLinear[];
  readonly format: NumberFormat;
  readonly scaleDtype: ScaleDtype;
}

/** Options of a step, by name, as its method declares them. */
export type StepOptions = Readonly<Record<string, number | boolean | string>>;

/** What a scale step did to each input of a group; f32 values. */
export interface InputScaling {
  /** Weights are multiplied by these, inputs divided. */
  readonly factors: readonly number[];
  /** Largest magnitude of each input that calibration saw, before. */
  readonly inputMaxAbs: readonly number[];
  /** Largest magnitude of each input's weights over all maps of the group, before. */
  readonly weightMaxAbs: readonly number[];
}

/** What a step says about one linear map or one group of these: numbers by name, for reports. */
export interface StepFinding {
  readonly block: number;
  /** Tensors that it is about. */
  readonly tensors: readonly string[];
  readonly values: Readonly<Record<string, number | string | readonly number[]>>;
  /** What a user must know: a damping that was raised, dead channels. */
  readonly notes?: readonly string[];
  /** Of every scale step that chose factors. */
  readonly scaling?: InputScaling;
}

/** Replaces weights by quantized ones, with what the inputs' products say. */
export interface QuantizeWithGram {
  readonly needs: 'gram';
  quantize(
    site: CalibrationSite,
    gram: Gram,
    options: StepOptions,
    call: CallOptions,
  ): Promise<readonly StepFinding[]>;
}

/** Replaces weights by quantized ones that follow from the weights alone: needs no calibration text. */
export interface QuantizeAlone {
  readonly needs: 'nothing';
  quantize(
    site: CalibrationSite,
    options: StepOptions,
    call: CallOptions,
  ): Promise<readonly StepFinding[]>;
}

/**
 * Mean square of each input of a linear map, by the name of its weights' tensor: [inputs], finite, at least 0;
 * undefined where it is not known.
 * @param expert number of the expert that the map belongs to: several may be stored as one tensor
 */
export type ImportanceOf = (tensor: string, expert?: number) => Float32Array | undefined;

/** Replaces weights by quantized ones whose errors count by what they multiply. */
export interface QuantizeWithImportance {
  readonly needs: 'importance';
  quantize(
    site: CalibrationSite,
    importanceOf: ImportanceOf,
    options: StepOptions,
    call: CallOptions,
  ): Promise<readonly StepFinding[]>;
}

/** Rows that linear maps of the unquantized model take, sampled. */
export interface SampledInputs {
  /** f32 [rows × inputs]. */
  readonly matrix: Matrix;
  readonly rows: number;
  /** Largest magnitude of each input over all rows of the calibration, f32 [inputs]. */
  readonly maxAbs: Float32Array;
  /** Address of memory that the step may use, see {@link QuantizeWithSamples.roomBytes}. */
  readonly room: number;
}

/** What a step has chosen beside weights. */
export interface QuantizedSite {
  readonly findings: readonly StepFinding[];
  /** How inputs are rounded, by name of the weights. */
  readonly roundings: ReadonlyMap<string, FixedRounding>;
}

/** Replaces weights by quantized ones, and chooses how inputs are rounded, by what that does to sampled rows. */
export interface QuantizeWithSamples {
  readonly needs: 'samples';
  /** Bytes that it needs for itself, for a linear map of at most so many outputs. */
  roomBytes(outputs: number, rows: number, inputs: number): number;
  /** @param activations absent: inputs stay as they are */
  quantize(
    site: CalibrationSite,
    samples: SampledInputs,
    activations: ActivationFormat | undefined,
    call: CallOptions,
  ): Promise<QuantizedSite>;
}

/** Replaces weights by quantized ones, with the gradients of the loss by them. */
export interface QuantizeWithGradients {
  readonly needs: 'gradients';
  /** @param gradientOf f32 [outputs × inputs], by the name of the weights' tensor */
  quantize(
    site: CalibrationSite,
    gradientOf: (tensor: string) => Float32Array,
    options: StepOptions,
    call: CallOptions,
  ): Promise<readonly StepFinding[]>;
}

export type QuantizeStep =
  | QuantizeWithGram
  | QuantizeAlone
  | QuantizeWithSamples
  | QuantizeWithImportance
  | QuantizeWithGradients;

/** Name of the option that says how many rows {@link QuantizeWithSamples} is given at least, where there are so many. */
export const SAMPLES_OPTION = 'rows';

/** A group of linear maps whose inputs get one set of factors, folded into what is before them. */
export interface ScalingGroup extends CalibrationSite {
  readonly site: SiteName;
  readonly statistics: InputStatistics;
  /**
   * Mean squared change of what the group is judged by, when its weights become Q(W·s)/s.
   * `module`: the output of the whole attention or feed-forward part; `linears`: the linear maps' own
   * outputs, activations quantized too where the scheme has them.
   * @param factors f32 [inputs], positive; absent: no scaling
   * @param atMost losses above this need not be exact: it ends with any that is above, too
   */
  loss(judgedBy: 'module' | 'linears', factors?: Float32Array, atMost?: number): Promise<number>;
  /** max |w| of each input over all maps of the group: f32 [inputs]. */
  weightMaxAbs(): Promise<Float32Array>;
  /** Largest less smallest weight of each input over all maps of the group: f32 [inputs]. */
  weightSpans(): Promise<Float32Array>;
  /**
   * Mean over all outputs of |w| / (largest |w| of its quantization group + 1e-6), for each input:
   * f32 [inputs].
   */
  weightMeanRelative(): Promise<Float32Array>;
}

/** Factors for the inputs of a group; the weights are multiplied by them, what is before divided. */
export interface ChosenFactors {
  readonly factors: Float32Array;
  readonly finding: StepFinding;
}

/** Moves range between activations and weights. */
export interface ScaleStep {
  /** Name of the method's option that leaves this step out. */
  readonly leftOutBy?: string;
  /** Groups that it scales; others stay as they are. */
  readonly sites: readonly SiteName[];
  /** Rows are those of the unquantized model. */
  choose(
    group: ScalingGroup,
    options: StepOptions,
    call: CallOptions,
  ): Promise<ChosenFactors | undefined>;
}

/** Clamps weights to ranges that serve the outputs best, before they are quantized. */
export interface ClipStep {
  /** Name of the method's option that leaves this step out. */
  readonly leftOutBy?: string;
  /** False for queries and keys, whose errors are magnified by the soft-max. */
  clips(linear: { readonly isQueryOrKey: boolean }): boolean;
  /**
   * Rows of the inputs that are sampled: of T rows every ⌊T/sampledRows⌋-th from the first on (all where
   * there are fewer). They are counted over all windows.
   */
  readonly sampledRows: number;
  /**
   * Clamps the weights of the site's linear maps in place.
   * @param site with the linear maps that the step {@link clips}, already scaled by a scale step
   * @param gram of the sampled rows, scaled likewise
   */
  clip(
    site: CalibrationSite,
    gram: Gram,
    options: StepOptions,
    call: CallOptions,
  ): Promise<readonly StepFinding[]>;
}

/** An option of a method, as it stands behind its name: "gptq:damp=0.05". */
export interface MethodOption {
  readonly name: string;
  readonly description: string;
  readonly default: number | boolean | string;
  /** Of texts: what it may be. */
  readonly values?: readonly string[];
  /** Of numbers: the least and the most that it may be; default: any from 0. */
  readonly range?: readonly [least: number, most: number];
  /** Of numbers: true where there are no fractions. */
  readonly isWhole?: boolean;
}

/** What calibration text a method was published with, scaled to a CPU. */
export interface CalibrationDefaults {
  readonly windows: number;
  readonly context: number;
  /** What the original used. */
  readonly published: string;
  /** Forward passes over these windows that take as long as the method does, about; measured on the sample. */
  readonly passes: number;
}

/** A method whose weights are no codes of a number format: its name stands in the place of one, "vptq-v4-k256". */
export interface OwnNotation {
  /** Name of the format of the numbers that it stores. */
  readonly format: string;
  /** Options that are part of the name, each a letter and a number; 0 is left out. */
  readonly letters: readonly string[];
}

/**
 * A calibrated method: what chooses scales, clips and codes by what activations say. Its steps run in
 * the order scale, clip, quantize; where it has no quantize step, weights are rounded to nearest.
 */
export interface CalibrationMethod {
  /** As typed behind a format: "gptq". */
  readonly name: string;
  /** For tables: "GPTQ". */
  readonly label: string;
  /** One line for menus, with what it needs. */
  readonly description: string;
  readonly source: string;
  /** True where the definition had to be reconstructed; said wherever it is shown. */
  readonly reconstructed: boolean;
  readonly notes: readonly string[];
  readonly options: readonly MethodOption[];
  readonly defaults: CalibrationDefaults;
  /** Bits per group that its quantize step stores beyond those of the format. */
  extraBitsPerGroup?(format: NumberFormat, scaleDtype: ScaleDtype): number;
  /**
   * Bits of a tensor that its quantize step stores beyond those of the format.
   * @param shape [… × outputs × inputs]
   */
  extraBits?(shape: readonly number[], options: StepOptions): number;
  /** Present where its name stands for the format, too; such a method is the only one of its scheme. */
  readonly notation?: OwnNotation;
  /**
   * Bits of a tensor, where its quantize step stores something else than codes of the format.
   * @param shape [… × outputs × inputs]
   */
  storedBits?(shape: readonly number[], options: StepOptions): number;
  /** Why a format, or what activations become, cannot be used with it, in one sentence; undefined where it can. */
  refuses(format: NumberFormat, activations?: ActivationFormat): string | undefined;
  readonly scale?: ScaleStep;
  readonly clip?: ClipStep;
  readonly quantize?: QuantizeStep;
}

/** A method and its options, all of them. */
export interface AppliedMethod {
  readonly method: CalibrationMethod;
  readonly options: StepOptions;
}
