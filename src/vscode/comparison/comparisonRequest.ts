import { createHash } from 'node:crypto';
import type { ScaleDtype } from '../../formats/index.js';

/** What perplexity is measured on. */
export interface PerplexityChoice {
  /** Absent: the model folder's own text, else the one that comes with Quantscope. */
  readonly textFile?: string;
  /** Only the first so many windows. */
  readonly windows?: number;
  /** Also with each tensor alone quantized. */
  readonly perLayer?: boolean;
}

/** What a comparison panel compares; plain data, so that it outlives the window. */
export interface ComparisonRequest {
  /** URI of the model. */
  readonly resource: string;
  readonly modelName: string;
  /** What is quantized, for people: "layers.3", "all linear weights". */
  readonly scope: string;
  /** Exact names; the model's default selection where absent. */
  readonly tensors?: readonly string[];
  /** Canonical format names; none where only the unquantized model is run. */
  readonly formats: readonly string[];
  readonly scaleDtype: ScaleDtype;
  readonly perplexity?: PerplexityChoice;
}

/**
 * The same for the same tensors of the same model, whatever the formats: one panel each. The
 * unquantized model alone has its own, since there is nothing to compare.
 */
export function computeComparisonId({ resource, tensors, formats }: ComparisonRequest): string {
  const sorted = formats.length === 0 ? 'unquantized' : tensors ? [...tensors].sort() : null;
  return createHash('sha256')
    .update(JSON.stringify([resource, sorted]))
    .digest('hex')
    .slice(0, 32);
}
