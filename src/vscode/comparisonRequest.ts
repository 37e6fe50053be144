import { createHash } from 'node:crypto';
import type { ScaleDtype } from '../formats/index.js';

/** What a comparison panel compares; plain data, so that it outlives the window. */
export interface ComparisonRequest {
  /** URI of the model. */
  readonly resource: string;
  readonly modelName: string;
  /** What is quantized, for people: "layers.3", "all linear weights". */
  readonly scope: string;
  /** Exact names; the model's default selection where absent. */
  readonly tensors?: readonly string[];
  /** Canonical format names. */
  readonly formats: readonly string[];
  readonly scaleDtype: ScaleDtype;
}

/** The same for the same tensors of the same model, whatever the formats: one panel each. */
export function comparisonId({ resource, tensors }: ComparisonRequest): string {
  const sorted = tensors ? [...tensors].sort() : null;
  return createHash('sha256')
    .update(JSON.stringify([resource, sorted]))
    .digest('hex')
    .slice(0, 32);
}
