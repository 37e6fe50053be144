import { parseScheme } from '../../methods/schemes.js';
import { seesText } from '../../methods/steps.js';
import { countFlopsFrom } from '../../model/evaluation/work.js';
import type { LanguageModel } from '../../model/evaluation/types.js';
import type { CalibrationSettings } from './measurement.js';

/** Multiplications and additions a second and thread, until a run on a machine has told. */
export const USUAL_SPEED = 2.5e10;

/** Tokens on which outputs are looked at, for each format and once for the model. */
export const OUTPUT_TOKENS = 2048;

/**
 * Multiplications and additions that take about as long as calibrating a model in some schemes and looking at
 * the outputs of its layers.
 * @param names of schemes
 */
export function estimateCalibration(
  { plan }: LanguageModel,
  names: readonly string[],
  { windows, context }: Pick<CalibrationSettings, 'windows' | 'context'>,
): number {
  const methods = names.flatMap((name) => parseScheme(name).methods);
  const tokens = methods.filter(seesText).reduce((sum, { method: { defaults } }) => {
    const length = Math.min(context ?? defaults.context, plan.maxPositions);
    return sum + (windows ?? defaults.windows) * length * defaults.passes;
  }, 0);
  const alone = methods
    .filter((applied) => !seesText(applied))
    .reduce((sum, { method: { defaults } }) => sum + OUTPUT_TOKENS * defaults.passes, 0);
  const outputs = (names.length + 1) * OUTPUT_TOKENS;
  return countFlopsFrom(0, plan) * (tokens + alone + outputs);
}
