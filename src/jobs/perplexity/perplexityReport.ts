import { shapeAsMatrix } from '../../checkpoint/matrixShape.js';
import type { OpenedModel } from '../../checkpoint/types.js';
import type { ScaleDtype } from '../../formats/index.js';
import { visible } from '../../storage/errors.js';
import type { CalibrationReport, PerplexityReport } from '../../reports/reports.js';
import { identifyScheme, parseSchemes } from '../formatList.js';
import { identifyMix, resolveMix, type FormatMix } from '../mixes.js';
import { selectTensors, type Selection } from '../selection.js';
import { summarizeModel } from '../summarizeModel.js';
import { noteWidths } from '../widthNotes.js';
import type { MeasuredPerplexity, MeasurementRequest, PerplexitySettings } from './measurement.js';
import { explainNoPerplexity, UNQUANTIZED } from './noPerplexity.js';

export interface PerplexityRequest extends Selection {
  /** Names of schemes; none: the unquantized model alone. */
  readonly formats: readonly string[];
  /** Formats of single tensors, behind the others. */
  readonly mixes?: readonly FormatMix[];
  readonly scaleDtype?: ScaleDtype;
  readonly settings: PerplexitySettings;
}

/**
 * Perplexity of a model, and of the same model with the selected tensors in each format: what
 * `perplexity --json` prints.
 * @param measure runs the model
 * @throws an Error of one line that names the file and the rule, also where the unquantized model has
 *   no finite perplexity; an AbortError when cancelled
 */
export async function measurePerplexity(
  model: OpenedModel,
  request: PerplexityRequest,
  measure: (request: MeasurementRequest) => Promise<MeasuredPerplexity>,
): Promise<PerplexityReport> {
  const begin = performance.now();
  const formats = parseSchemes(request.formats);
  const { scaleDtype = 'f16', settings, mixes = [] } = request;
  const mixed = mixes.map((mix) => resolveMix(model, mix));
  const selected = formats.length > 0 ? selectTensors(model, request) : [];
  const measured = await measure({
    formats: formats.map(({ id }) => id),
    tensors: selected.map(({ name }) => name),
    scaleDtype,
    perLayer: false,
    mixes,
    settings,
  });
  if (!Number.isFinite(measured.baseline.value)) {
    throw new Error(`${visible(model.path)}: ${explainNoPerplexity([UNQUANTIZED])}`);
  }
  const quantized = new Set([...selected, ...mixed.flat().map(({ tensor }) => tensor)]);
  const about =
    quantized.size > 0
      ? model.tensors.filter((tensor) => quantized.has(tensor))
      : model.tensors.filter(({ quantizedByDefault }) => quantizedByDefault);
  const shapes = selected.map(shapeAsMatrix);
  const { tokenizeSeconds, forwardSeconds, peakRssBytes } = measured;
  const { backend, backendReason, threads } = measured;
  const totalSeconds = (performance.now() - begin) / 1000;
  return {
    model: summarizeModel(model, about, quantized.size > 0),
    text: measured.text,
    baseline: { perplexity: measured.baseline },
    formats: [
      ...formats.map((scheme, index) => {
        const identity = identifyScheme(scheme, shapes, scaleDtype);
        const { whole, calibration } = measured.formats[index];
        return {
          ...identity,
          notes: [
            ...identity.notes,
            ...noteWidths(scheme.format, selected),
            ...notesOfCalibration(calibration),
          ],
          perplexity: whole,
          ...(calibration && { calibration }),
        };
      }),
      ...mixes.map((mix, index) => ({
        ...identifyMix(mix, mixed[index], scaleDtype),
        perplexity: measured.formats[formats.length + index].whole,
      })),
    ],
    notes: measured.notes,
    timings: {
      tokenizeSeconds,
      forwardSeconds,
      totalSeconds,
      peakRssBytes,
      backend,
      backendReason,
      threads,
    },
  };
}

/** What methods had to say, each once, with the number of times. */
export function notesOfCalibration(calibration: CalibrationReport | undefined): string[] {
  const counts = new Map<string, number>();
  for (const { notes = [] } of calibration?.findings ?? []) {
    for (const note of notes) counts.set(note, (counts.get(note) ?? 0) + 1);
  }
  return [...counts].map(([note, count]) => (count === 1 ? note : `${note} (${count} times)`));
}
