import type { OpenedModel } from '../checkpoint/types.js';
import { estimateCalibration, USUAL_SPEED } from '../jobs/perplexity/estimateCalibration.js';
import type { CalibrationSettings } from '../jobs/perplexity/measurement.js';
import { parseScheme } from '../methods/schemes.js';
import { planLanguageModel } from '../model/config/languageModel.js';

/** What takes less is not worth a line. */
const LEAST_SECONDS = 15;

/**
 * "Calibration will take about 3 min, …"; undefined where nothing is calibrated, or in no time.
 * @param formats names of schemes
 */
export async function describeCalibrationTime(
  model: OpenedModel,
  formats: readonly string[],
  calibration: CalibrationSettings,
  threads: number,
): Promise<string | undefined> {
  const calibrated = formats.filter((name) => parseScheme(name).methods.length > 0);
  if (calibrated.length === 0) return undefined;
  // Why a model cannot be run is said by what runs it.
  const planned = await planLanguageModel(model).catch(() => undefined);
  if (!planned) return undefined;
  const seconds = estimateCalibration(planned, calibrated, calibration) / (USUAL_SPEED * threads);
  if (seconds < LEAST_SECONDS) return undefined;
  const [amount, unit] =
    seconds < 90 ? [seconds, 's'] : seconds < 5400 ? [seconds / 60, 'min'] : [seconds / 3600, 'h'];
  const count = calibrated.length === 1 ? '1 format' : `${calibrated.length} formats`;
  return `Calibrating ${count} will take about ${Math.round(amount)} ${unit} at a usual speed, unless it is kept from before.`;
}
