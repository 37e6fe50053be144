import type { OpenedModel } from '../../../checkpoint/types.js';
import type { Host } from '../../../host/host.js';
import type { QuantizationScheme } from '../../../methods/schemes.js';
import { planLanguageModel } from '../../../model/config/languageModel.js';
import { inFormat } from '../../../model/evaluation/variants.js';
import { countFlopsFrom, countVariantFlops } from '../../../model/evaluation/work.js';
import type { TextRequest } from '../measurement.js';
import { readWindows } from './evaluationText.js';

/** What a perplexity would take, before anything is computed. */
export interface PerplexityPlan {
  /** Tokens of each window that the text has, in their order. */
  readonly windows: readonly number[];
  /** Multiplications and additions for one token: of the unquantized model, … */
  readonly baselineFlops: number;
  /** … of all formats, each for all tensors at once, … */
  readonly wholeFlops: number;
  /** … and of all formats, each for each tensor alone. */
  readonly aloneFlops: number;
}

/** What is to be measured. */
export interface PlanRequest {
  readonly formats: readonly QuantizationScheme[];
  /** Exact names of the tensors that formats are applied to. */
  readonly tensors: readonly string[];
  readonly text: TextRequest;
}

/**
 * Cuts a text into windows and counts what scoring them costs.
 * @throws like the measurement itself: what the model cannot do is known now
 */
export async function planPerplexity(
  host: Host,
  opened: OpenedModel,
  { formats, tensors, text }: PlanRequest,
  signal?: AbortSignal,
): Promise<PerplexityPlan> {
  const model = await planLanguageModel(opened);
  const { windows } = await readWindows(host, model, text, signal);
  const { plan } = model;
  const variant = ({ format }: QuantizationScheme, names: readonly string[]) =>
    countVariantFlops({ id: '', changes: inFormat(format, names) }, plan);
  const sum = (costs: readonly number[]) => costs.reduce((total, cost) => total + cost, 0);
  return {
    windows: windows.ids.map(({ length }) => length),
    baselineFlops: countFlopsFrom(0, plan),
    wholeFlops: sum(formats.map((format) => variant(format, tensors))),
    aloneFlops: sum(formats.flatMap((format) => tensors.map((name) => variant(format, [name])))),
  };
}
