import type { NumberFormat } from '../formats/index.js';
import { openLanguageModel } from '../model/languageModel.js';
import { flopsFrom, variantFlops } from '../model/work.js';
import type { Checkpoint } from '../safetensors/types.js';
import { readWindows, type TextRequest } from './evaluationText.js';

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

/**
 * Cuts a text into windows and counts what scoring them costs.
 * @param tensors exact names of the tensors that formats are applied to
 * @param assetsFolder folder of the bundle
 * @throws like the measurement itself: what the model cannot do is known now
 */
export async function planPerplexity(
  checkpoint: Checkpoint,
  formats: readonly NumberFormat[],
  tensors: readonly string[],
  text: TextRequest,
  assetsFolder: string,
  signal?: AbortSignal,
): Promise<PerplexityPlan> {
  const model = await openLanguageModel(checkpoint);
  const { windows } = await readWindows(model, text, assetsFolder, signal);
  const { plan } = model;
  const variant = (format: NumberFormat, names: readonly string[]) =>
    variantFlops({ id: '', formats: new Map(names.map((name) => [name, format])) }, plan);
  const sum = (costs: readonly number[]) => costs.reduce((total, cost) => total + cost, 0);
  return {
    windows: windows.ids.map(({ length }) => length),
    baselineFlops: flopsFrom(0, plan),
    wholeFlops: sum(formats.map((format) => variant(format, tensors))),
    aloneFlops: sum(formats.flatMap((format) => tensors.map((name) => variant(format, [name])))),
  };
}
