import { createHash } from 'node:crypto';
import type { CalibrationSettings } from '../../jobs/perplexity/measurement.js';
import type { BosChoice } from '../../reports/comparisonPage.js';
import type { ScaleDtype } from '../../formats/index.js';

/** What perplexity is measured on. */
export interface PerplexityChoice {
  /** Absent: the model folder's own text, else the one that comes with Quantscope. */
  readonly textFile?: string;
  /** Only the first so many windows. */
  readonly windows?: number;
  /** Also with each tensor alone quantized. */
  readonly perLayer?: boolean;
  /** True: each window begins with BOS; false: where the tokenizer puts it; absent: as the model's family needs it. */
  readonly bosEveryWindow?: boolean;
}

/** A page's choice of BOS as a request has it. */
export function readBosChoice(choice: BosChoice): boolean | undefined {
  return choice === 'every' ? true : choice === 'tokenizer' ? false : undefined;
}

/** A request's choice of BOS as pages have it. */
export function nameBosChoice({ bosEveryWindow }: PerplexityChoice = {}): BosChoice {
  return bosEveryWindow === undefined ? 'default' : bosEveryWindow ? 'every' : 'tokenizer';
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
  /** Canonical format names; none where only the unquantized model is run, or another checkpoint is compared. */
  readonly formats: readonly string[];
  /** Another checkpoint of the same model, compared like a format. */
  readonly against?: {
    /** Its URI. */
    readonly resource: string;
    /** What reports call it. */
    readonly name: string;
  };
  readonly scaleDtype: ScaleDtype;
  readonly perplexity?: PerplexityChoice;
  /** What methods see; of what is absent, what they take by themselves. */
  readonly calibration?: CalibrationSettings;
}

/** What stands beside the model: the other checkpoint, then formats. */
export function comparedColumns({
  against,
  formats,
}: Pick<ComparisonRequest, 'against' | 'formats'>): readonly string[] {
  return against ? [against.name, ...formats] : formats;
}

/**
 * The same for the same tensors of the same model, whatever the formats: one panel each. The
 * unquantized model alone has its own, since there is nothing to compare.
 */
export function computeComparisonId(request: ComparisonRequest): string {
  const { resource, tensors, against } = request;
  const isModelAlone = comparedColumns(request).length === 0;
  const sorted = isModelAlone ? 'unquantized' : tensors ? [...tensors].sort() : null;
  return createHash('sha256')
    .update(JSON.stringify([resource, sorted, ...(against ? [against.resource] : [])]))
    .digest('hex')
    .slice(0, 32);
}
