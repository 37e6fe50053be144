import type { OpenedModelData } from '../../checkpoint/types.js';
import type { Difference } from '../../compute/difference.js';
import type { ScaleDtype } from '../../formats/index.js';
import type { OutputErrorSplit } from '../../model/calibration/underflowSplit.js';
import type { WindowRequest } from '../../model/text/windows.js';
import type { Perplexity } from '../../model/scores/perplexity.js';
import type {
  CalibrationReport,
  CalibrationTokens,
  PerplexityText,
} from '../../reports/reports.js';
import type { FormatMix } from '../mixes.js';

/** Hidden states in flight, where nothing is asked for. */
export const DEFAULT_MEMORY_BUDGET = 256 * 1024 * 1024;

/** What is scored, and how it is cut. */
export interface TextRequest extends WindowRequest {
  /** A UTF-8 file; default: the model folder's own `eval.txt`, else the bundled text. */
  readonly textFile?: string;
  /** Separator of documents; each is then scored by itself. */
  readonly perDocument?: string;
  /** A JSON file of ids instead of a text: one array, or an array of arrays. */
  readonly tokenIdsFile?: string;
}

/** What calibrated methods see. */
export interface CalibrationSettings {
  /** A UTF-8 file; default: the model folder's own `calibration.txt`, else the bundled text. */
  readonly textFile?: string;
  /** Default: the method's own. */
  readonly windows?: number;
  /** Tokens of a window; default: the method's own, at most what the model allows. */
  readonly context?: number;
  /** Windows are drawn from the whole text by it; absent: the first ones are taken. */
  readonly seed?: number;
  /** An importance matrix of llama.cpp, for the method of this name; absent: found on the text. */
  readonly imatrixFile?: string;
}

/** What is measured on, and with what means. */
export interface PerplexitySettings extends TextRequest {
  readonly calibration?: CalibrationSettings;
  /** Bytes for the hidden states in flight; default {@link DEFAULT_MEMORY_BUDGET}. */
  readonly memoryBudgetBytes?: number;
  /** Where scores are kept for later runs; absent: nowhere. */
  readonly cacheFolder?: string;
  /** Where calibrated weights are kept instead of there, for jobs of one run that share them. */
  readonly calibratedFolder?: string;
  /**
   * File for the logits of the one model that is measured: the only format's, or the unquantized
   * model's where there is none.
   */
  readonly logitsFile?: string;
}

/** One measurement: which formats of which tensors, on what. Plain data. */
export interface MeasurementRequest {
  /** Canonical names of schemes (`methods/schemes.ts`); none: the unquantized model alone. */
  readonly formats: readonly string[];
  /** Names of the tensors that formats are applied to. */
  readonly tensors: readonly string[];
  readonly scaleDtype: ScaleDtype;
  /** Also each of the tensors alone, for each format. */
  readonly perLayer: boolean;
  /** Models with a format for each tensor; their perplexities come after those of the formats. */
  readonly mixes?: readonly FormatMix[];
  /** Another checkpoint in the place of the model; its perplexity comes before those of the formats. */
  readonly against?: OpenedModelData;
  readonly settings: PerplexitySettings;
}

/** Linear maps whose outputs are looked at, in some schemes. Plain data. */
export interface OutputsRequest extends Pick<
  MeasurementRequest,
  'formats' | 'tensors' | 'scaleDtype'
> {
  readonly settings: PerplexitySettings;
}

/** What quantizing a linear map does to its own outputs, and, where methods chose its weights, to these. */
export interface TensorOutputs {
  /** Σ(ŷ − y)² over rows and outputs. */
  readonly squaredError: number;
  /** Σy². */
  readonly squaredOutput: number;
  /** What its weights have to do with that; absent where they stay as they are. */
  readonly split?: OutputErrorSplit;
  /** Runs of rows, in their order. */
  readonly weights?: readonly Difference[];
}

/** Output errors of linear maps, each given the inputs that the unquantized model gives it. */
export interface MeasuredOutputs {
  readonly text: CalibrationTokens;
  /** In the order asked for. */
  readonly formats: readonly {
    /** One for each tensor asked for; undefined where it is no linear map of a block that all tokens pass. */
    readonly tensors: readonly (TensorOutputs | undefined)[];
    readonly calibration?: CalibrationReport;
  }[];
  readonly notes: readonly string[];
  readonly peakRssBytes: number;
}

/** The perplexities of one format. */
export interface FormatPerplexity {
  /** All selected tensors quantized. */
  readonly whole: Perplexity;
  /** Each of them alone quantized, in their order; empty where that was not asked for. */
  readonly alone: readonly Perplexity[];
  /** Of schemes that need a calibration text. */
  readonly calibration?: CalibrationReport;
}

export interface MeasuredPerplexity {
  readonly text: PerplexityText;
  readonly baseline: Perplexity;
  /** That of the other checkpoint, where there is one, then one per format and mix in the order asked for. */
  readonly formats: readonly FormatPerplexity[];
  /** What a reader of all these numbers must know. */
  readonly notes: readonly string[];
  readonly tokenizeSeconds: number;
  readonly forwardSeconds: number;
  /** Most memory of the process that ran the model, in bytes. */
  readonly peakRssBytes: number;
  /** What ran the model; several, in their order, where one failed. */
  readonly backend: string;
  /** Why that, in one sentence; absent where there was nothing to choose. */
  readonly backendReason?: string;
  readonly threads: number;
}
