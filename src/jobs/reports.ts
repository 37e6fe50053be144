import type { ErrorMeasures } from '../metrics/types.js';
import type { Perplexity } from '../model/perplexity.js';
import type { Protocol } from '../model/textProtocol.js';
import type { CheckpointProblem, SafetensorsDtype } from '../safetensors/types.js';

/** One tensor as the list shows it. */
export interface TensorReport {
  readonly name: string;
  readonly file: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  readonly exactShape?: readonly string[];
  readonly bytes: number;
  readonly offset: number;
  readonly elements: number;
  /** Layer it belongs to ("layers.0"), or "" for tensors outside the repeated blocks. */
  readonly layer: string;
  /** Name within its layer ("mlp.down_proj.weight"). */
  readonly nameInLayer: string;
  /** True for the two-dimensional weights that quantizers touch by default. */
  readonly quantizedByDefault: boolean;
  /** Why it cannot be quantized, when it cannot ("one-dimensional", "integer type I64"). */
  readonly notQuantizable?: string;
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
  readonly tensors: readonly TensorReport[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly problems: readonly CheckpointProblem[];
  readonly totalBytes: number;
  readonly totalElements: number;
  /** What config.json says, when there is one beside the weights. */
  readonly architecture?: string;
  /** One line of what config.json says: layers, hidden size, heads. */
  readonly configSummary?: string;
}

export interface TensorComparison extends ErrorMeasures {
  readonly name: string;
  readonly shape: readonly number[];
  readonly parameters: number;
  /** Of the model with this tensor alone quantized. */
  readonly perplexityAlone?: Perplexity;
}

export interface FormatComparison {
  /** Canonical format name, e.g. "afp4-e2m1:g128". */
  readonly id: string;
  readonly label: string;
  readonly bitsPerWeight: number;
  /** True where the format's definition is reconstructed or a result is not exact. */
  readonly approximate: boolean;
  /** What a reader of the numbers must know: warnings, provenance. */
  readonly notes: readonly string[];
  readonly summary: {
    readonly sqnrDb: number;
    readonly mse: number;
    readonly cosine: number;
    readonly maxAbsError: number;
    readonly rmseOverStep: number;
    readonly underflowFraction: number;
    readonly clippedFraction: number;
    /** Bytes of the quantized tensors in this format. */
    readonly sizeBytes: number;
  };
  readonly tensors: readonly TensorComparison[];
  /** Of the model with all these tensors quantized. */
  readonly perplexity?: Perplexity;
}

export interface ModelSummary {
  readonly path: string;
  readonly architecture: string | null;
  readonly parameters: number;
  readonly quantizableParameters: number;
  /** Element types of the selected tensors. */
  readonly dtype: string;
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
}

/** What `perplexity --json` prints. */
export interface PerplexityReport {
  readonly model: ModelSummary;
  readonly text: PerplexityText;
  /** The unquantized model. */
  readonly baseline: { readonly perplexity: Perplexity };
  readonly formats: readonly {
    readonly id: string;
    readonly label: string;
    readonly bitsPerWeight: number;
    readonly approximate: boolean;
    readonly notes: readonly string[];
    readonly perplexity: Perplexity;
  }[];
  /** What a reader of all these numbers must know. */
  readonly notes: readonly string[];
  readonly timings: {
    readonly tokenizeSeconds: number;
    readonly forwardSeconds: number;
    readonly totalSeconds: number;
    readonly peakRssBytes: number;
    readonly backend: string;
    readonly threads: number;
  };
}

/** What `compare --json` prints and the comparison panel shows. */
export interface ComparisonReport {
  readonly model: ModelSummary;
  /** What perplexities were measured on, if any were. */
  readonly text?: PerplexityText;
  /** The unquantized model. */
  readonly baseline: { readonly perplexity?: Perplexity };
  readonly formats: readonly FormatComparison[];
  /** What a reader of all perplexities must know, where that is not among the formats' notes. */
  readonly notes?: readonly string[];
  readonly timings: {
    readonly readSeconds: number;
    readonly quantizeSeconds: number;
    readonly forwardSeconds: number;
    readonly totalSeconds: number;
    readonly peakRssBytes: number;
    readonly backend: string;
    readonly threads: number;
  };
}
