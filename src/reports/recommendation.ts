import type { Perplexity } from '../model/scores/perplexity.js';
import type { FormatReport, ModelSummary, PerplexityText } from './reports.js';
import type { SensitivityReport } from './sensitivity.js';

/** What a recommendation must keep to. */
export type Budget =
  /** Of the tensors that are quantized. */
  | { readonly kind: 'bits'; readonly bitsPerWeight: number }
  /** Of all weights of the model, those that stay as they are included. */
  | { readonly kind: 'bytes'; readonly bytes: number }
  /** Predicted mean KL divergence, nats per token. */
  | { readonly kind: 'divergence'; readonly klDivergence: number }
  /** Predicted perplexity, above the unquantized model's. */
  | { readonly kind: 'perplexity'; readonly delta: number };

/** Tensors that get the same format: those that take the same inputs. */
export const TIES = ['qkv', 'gate-up'] as const;
export type Tie = (typeof TIES)[number];

/** What is expected of a model before it is run. */
export interface PredictedPerplexity extends Pick<Perplexity, 'value' | 'nll' | 'deltaVsBaseline'> {
  /** Sum over tensors of sensitivity times squared relative error, nats per token. */
  readonly klDivergence: number;
}

/** What a tensor is given, and why. */
export interface AssignedTensor {
  readonly tensor: string;
  readonly layer: string;
  readonly nameInLayer: string;
  readonly parameters: number;
  /** Canonical name; what is stored in its place where rows do not fit its blocks. */
  readonly format: string;
  readonly bitsPerWeight: number;
  /** Squared relative error in this format, ‖Ŵ − W‖² / ‖W‖². */
  readonly relativeError: number;
  /** What this tensor adds to the predicted KL divergence. */
  readonly klDivergence: number;
  /** True where the format was given. */
  readonly pinned?: true;
}

/** All tensors in one format, those that are pinned in theirs. */
export interface UniformCandidate extends FormatReport {
  /** Bytes of all weights of the model. */
  readonly sizeBytes: number;
  readonly predicted: PredictedPerplexity;
  /** Of those that were measured beside the mix. */
  readonly measured?: Perplexity;
}

/** What `recommend --json` prints. */
export interface RecommendationReport {
  readonly model: ModelSummary;
  readonly text: PerplexityText;
  readonly budget: Budget;
  readonly ties: readonly Tie[];
  readonly scaleDtype: string;
  /** The unquantized model. */
  readonly baseline: { readonly perplexity: Perplexity };
  /** Of the mix, over the tensors that it quantizes. */
  readonly bitsPerWeight: number;
  /** Bytes of all weights of the model with the mix; headers of files left out. */
  readonly sizeBytes: number;
  /** In checkpoint order. */
  readonly assignment: readonly AssignedTensor[];
  readonly predicted: PredictedPerplexity;
  readonly measured: Perplexity;
  /** No assignment within the budget has a smaller prediction than this; equal to it where this one is optimal. */
  readonly predictedBound: number;
  /** The best uniform format that is no larger; null where none is. */
  readonly bestUniform:
    | (Pick<UniformCandidate, 'bitsPerWeight' | 'sizeBytes' | 'predicted'> & {
        readonly format: string;
        readonly measured: Perplexity;
      })
    | null;
  /** By measured KL divergence. */
  readonly recommended: 'mix' | 'uniform';
  /** Every candidate for all tensors alike, by bits per weight. */
  readonly uniform: readonly UniformCandidate[];
  /** Mixes of all sizes, predicted. */
  readonly front: readonly { readonly bitsPerWeight: number; readonly klDivergence: number }[];
  readonly sensitivity: SensitivityReport;
  /** What a reader must know. */
  readonly notes: readonly string[];
  readonly timings: {
    readonly weightsSeconds: number;
    readonly sensitivitySeconds: number;
    readonly forwardSeconds: number;
    readonly totalSeconds: number;
    readonly peakRssBytes: number;
    readonly backend: string;
    readonly backendReason?: string;
    readonly threads: number;
  };
}
