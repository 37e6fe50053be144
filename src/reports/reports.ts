import type { LogHistogram } from '../metrics/logHistogram.js';
import type { ErrorMeasures, OutputMeasures } from '../metrics/measures.js';
import type { Perplexity } from '../model/scores/perplexity.js';
import type { BosWindows, Protocol } from '../model/text/textProtocol.js';
import type { CheckpointProblem, ModelTensor } from '../checkpoint/types.js';

/** One tensor as the list shows it: all that is known of it but where its bytes are read from. */
export type TensorReport = Omit<ModelTensor, 'source'>;

/** What the tensors of a layer come to. */
export interface LayerReport {
  /** Its name, e.g. "layers.0". */
  readonly layer: string;
  /** How many tensors it has. */
  readonly tensors: number;
  readonly elements: number;
  readonly bytes: number;
  /** Names of what quantizing the layer takes: what is quantized by default, else all that can be. */
  readonly quantizable: readonly string[];
  /** Elements of these tensors. */
  readonly quantizableElements: number;
}

/** A checkpoint as the editor shows it before any weight is read. */
export interface CheckpointReport {
  readonly path: string;
  /** File or folder name for titles. */
  readonly name: string;
  readonly files: readonly {
    readonly name: string;
    readonly sizeBytes: number;
    readonly headerBytes: number;
  }[];
  /** In file order; of a giant model the first. */
  readonly tensors: readonly TensorReport[];
  /** Tensors that are not among them, where there are more than a page bears. */
  readonly unlistedTensors?: number;
  /** Of these tensors, in the order in which lists show them. */
  readonly layers: readonly LayerReport[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly problems: readonly CheckpointProblem[];
  /** True where it is one shard of a model that has an index to open. */
  readonly isPartOfModel?: true;
  readonly totalBytes: number;
  readonly totalElements: number;
  /** What config.json says, when there is one beside the weights. */
  readonly architecture?: string;
  /** One line of what config.json says: layers, hidden size, heads. */
  readonly configSummary?: string;
}

/**
 * Measures of some weights in one format, with the sums they come from. Of outputs there are measures where a text
 * passed through the model: over those of the weights' linear maps that all tokens pass.
 */
export interface MeasuredWeights extends ErrorMeasures, OutputMeasures {
  /** Weights, those that are no numbers included. */
  readonly parameters: number;
  /** Σw² over the finite weights. */
  readonly sumSquares: number;
}

export interface TensorComparison
  extends
    MeasuredWeights,
    Pick<ModelTensor, 'name' | 'layer' | 'nameInLayer' | 'shape' | 'transposed'> {
  /**
   * The format that is stored in place of the one asked for, where rows do not fit its blocks; of another checkpoint,
   * how it stores the tensor ("Q6_K").
   */
  readonly storedAs?: string;
  /** Of the model with this tensor alone quantized. */
  readonly perplexityAlone?: Perplexity;
}

/** Several tensors as if they were one. */
export interface TotalComparison extends MeasuredWeights {
  /** How many tensors these are. */
  readonly tensors: number;
  /**
   * What the tensors, each alone quantized, add to the perplexity, added up: the sum of the
   * `perplexityAlone.deltaVsBaseline`. Absent unless all of them were measured alone.
   */
  readonly sumOfDeltasAlone?: number;
}

/** All tensors of a layer as if they were one. */
export interface LayerComparison extends TotalComparison {
  readonly layer: string;
}

/** A format that something was measured in. */
export interface FormatReport {
  /** Canonical format name, e.g. "afp4-e2m1:g128". */
  readonly id: string;
  readonly label: string;
  /** Where there are methods or activations: the weights' number format, "INT4 g128". */
  readonly numberFormat?: string;
  /** The methods that choose scales and codes, "AWQ, GPTQ"; absent: rounded to nearest. */
  readonly method?: string;
  /** What activations are rounded to, "A8"; absent: nothing. */
  readonly activations?: string;
  readonly bitsPerWeight: number;
  /** True where the format's definition is reconstructed or a result is not exact. */
  readonly approximate: boolean;
  /** True where the format's definition is reconstructed, since none is public in full. */
  readonly reconstructed: boolean;
  /** What a reader of the numbers must know: warnings, provenance. */
  readonly notes: readonly string[];
}

/** An importance matrix that was written. */
export interface ImatrixReport {
  readonly output: string;
  /** Path of the text. */
  readonly text: string;
  /** Tensors of weights that it is of. */
  readonly entries: number;
  readonly windows: number;
  /** Tokens of the longest window, and of all. */
  readonly context: number;
  readonly tokens: number;
  readonly seconds: number;
  /** What a user must know of it. */
  readonly notes: readonly string[];
}

/** Tokens of a calibration text. */
export interface CalibrationTokens {
  /** Path of the text; absent where none was needed. */
  readonly text?: string;
  readonly windows: number;
  readonly context: number;
  readonly tokens: number;
}

/** What a scheme was calibrated on (its last method that saw a text), and what its methods chose. */
export interface CalibrationReport extends CalibrationTokens {
  /** Path of the importance matrix, where one was given. */
  readonly imatrix?: string;
  readonly seconds: number;
  /** By block, in the order of the methods. */
  readonly findings: readonly CalibrationFinding[];
}

/** What a method chose for some tensors of a block: numbers by name. */
export interface CalibrationFinding {
  readonly block: number;
  readonly tensors: readonly string[];
  readonly values: Readonly<Record<string, number | string | readonly number[]>>;
  readonly notes?: readonly string[];
  /** Where factors were chosen: how the ranges of inputs moved. */
  readonly ranges?: MovedRanges;
}

/** How factors moved the ranges of a site's inputs; each of an input's numbers counts once. */
export interface MovedRanges {
  /** Largest magnitude of each input that calibration saw: before and after it is divided by its factor. */
  readonly inputs: LogHistogram;
  /** Largest magnitude of each input's weights: before and after they are multiplied by its factor. */
  readonly weights: LogHistogram;
  readonly factors: LogHistogram;
}

export interface FormatComparison extends FormatReport {
  /** All tensors as if they were one. */
  readonly summary: TotalComparison & {
    /** Bytes of the quantized tensors in this format. */
    readonly sizeBytes: number;
  };
  /** Totals of the layers, in the order in which they first occur; tensors outside are left out. */
  readonly layers: readonly LayerComparison[];
  readonly tensors: readonly TensorComparison[];
  /** Of the model with all these tensors quantized. */
  readonly perplexity?: Perplexity;
  /** Of schemes that were calibrated. */
  readonly calibration?: CalibrationReport;
}

export interface ModelSummary {
  readonly path: string;
  readonly architecture: string | null;
  readonly parameters: number;
  readonly quantizableParameters: number;
  /** Element types of the selected tensors. */
  readonly dtype: string;
  /** What a reader of any number of this model must know. */
  readonly notes: readonly string[];
}

/** What a perplexity was measured on. */
export interface PerplexityText {
  /** Path of the file of text or ids. */
  readonly source: string;
  /** True for the text that comes with Quantscope. */
  readonly bundled: boolean;
  readonly protocol: Protocol;
  /** Between documents, where each is scored by itself. */
  readonly separator?: string;
  /** Tokens per window, at most. */
  readonly context: number;
  /** Windows that were scored. */
  readonly windows: number;
  /** Tokens that were scored. */
  readonly tokens: number;
  /** Tokens that the text has. */
  readonly totalTokens: number;
  /** Which windows begin with BOS; absent where ids are given. */
  readonly bos?: BosWindows;
}

/** What `perplexity --json` prints. */
export interface PerplexityReport {
  readonly model: ModelSummary;
  readonly text: PerplexityText;
  /** The unquantized model. */
  readonly baseline: { readonly perplexity: Perplexity };
  readonly formats: readonly (FormatReport & {
    readonly perplexity: Perplexity;
    /** Of schemes that were calibrated. */
    readonly calibration?: CalibrationReport;
  })[];
  /** What a reader of all these numbers must know. */
  readonly notes: readonly string[];
  readonly timings: {
    readonly tokenizeSeconds: number;
    readonly forwardSeconds: number;
    readonly totalSeconds: number;
    readonly peakRssBytes: number;
    /** What computed; several, in their order, where one failed. */
    readonly backend: string;
    /** Why that, in one sentence; absent where there was nothing to choose. */
    readonly backendReason?: string;
    readonly threads: number;
  };
}

/** What `compare --json` prints and the comparison panel shows. */
export interface ComparisonReport {
  readonly model: ModelSummary;
  /** What perplexities were measured on, if any were. */
  readonly text?: PerplexityText;
  /** What output errors were measured on, if any were. */
  readonly outputErrorText?: CalibrationTokens;
  /** The other checkpoint where there is one; what it has in the place of weights comes first among `formats`. */
  readonly against?: ModelSummary;
  /** The unquantized model. */
  readonly baseline: { readonly perplexity?: Perplexity };
  readonly formats: readonly FormatComparison[];
  /** What a reader of all perplexities must know; what concerns one format is among its notes. */
  readonly notes: readonly string[];
  readonly timings: {
    readonly readSeconds: number;
    readonly quantizeSeconds: number;
    readonly forwardSeconds: number;
    readonly totalSeconds: number;
    readonly peakRssBytes: number;
    /** What computed; several, in their order, where one failed. */
    readonly backend: string;
    /** Why that, in one sentence; absent where there was nothing to choose. */
    readonly backendReason?: string;
    readonly threads: number;
  };
}
