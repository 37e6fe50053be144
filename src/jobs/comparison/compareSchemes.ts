import type { ModelTensor, OpenedModel } from '../../checkpoint/types.js';
import type { WorkerPool } from '../../compute/workerPool.js';
import type { QuantizationScheme } from '../../methods/schemes.js';
import { countSchemeBits } from '../../methods/storage.js';
import { ErrorAccumulator, WeightAccumulator } from '../../metrics/errorAccumulator.js';
import { computeSqnr, type OutputMeasures } from '../../metrics/measures.js';
import type { ComparisonReport, FormatComparison } from '../../reports/reports.js';
import { identifyScheme } from '../formatList.js';
import type { MeasuredOutputs, TensorOutputs } from '../perplexity/measurement.js';
import { notesOfCalibration } from '../perplexity/perplexityReport.js';
import { noteWidths } from '../widthNotes.js';
import { reportWeights, type WeightsOutcome } from './compareWeights.js';
import { describeMeasured, type MeasuredTensor } from './describeFormats.js';

/** Number formats whose weights a comparison of schemes needs rounded to nearest. */
export function roundedFormats(schemes: readonly QuantizationScheme[]): string[] {
  return [...new Set(schemes.map(({ format }) => format.id))];
}

/** True where weights or activations follow from more than the weights: the model has to be run. */
export function needsModel({ methods, activations }: QuantizationScheme): boolean {
  return methods.length > 0 || activations !== undefined;
}

/**
 * The report of weights rounded to nearest, as far as schemes are just that. What methods make is not known
 * from it.
 * @param outcome in the formats of {@link roundedFormats}
 */
export function reportRounded(
  pool: WorkerPool,
  model: OpenedModel,
  outcome: WeightsOutcome,
  schemes: readonly QuantizationScheme[],
): ComparisonReport {
  const report = reportWeights(pool, model, outcome);
  const byFormat = new Map(report.formats.map((format) => [format.id, format]));
  return {
    ...report,
    formats: schemes.flatMap((scheme) => {
      const rounded = byFormat.get(scheme.format.id)!;
      return scheme.methods.length === 0 ? [renamed(rounded, scheme, outcome)] : [];
    }),
  };
}

/** A format's comparison under the name of a scheme that has it and no method. */
function renamed(
  format: FormatComparison,
  scheme: QuantizationScheme,
  { tensors, scaleDtype }: WeightsOutcome,
): FormatComparison {
  if (!scheme.activations) return format;
  const shapes = tensors.map(({ matrixShape }) => matrixShape);
  return {
    ...format,
    ...identifyScheme(scheme, shapes, scaleDtype),
    notes: [...format.notes, ...scheme.activations.entry.notes],
  };
}

/**
 * The report of schemes, in their order: errors of weights and of outputs.
 * @param rounded of {@link reportRounded}
 * @param outputs of the same tensors
 */
export function reportSchemes(
  rounded: ComparisonReport,
  outcome: WeightsOutcome,
  schemes: readonly QuantizationScheme[],
  outputs: MeasuredOutputs,
): ComparisonReport {
  const known = new Map(rounded.formats.map((format) => [format.id, format]));
  const ids = new Set(schemes.map(({ id }) => id));
  // Another checkpoint.
  const others = rounded.formats.filter(({ id }) => !ids.has(id));
  const { timings } = rounded;
  return {
    ...rounded,
    outputErrorText: outputs.text,
    formats: [
      ...others,
      ...schemes.map((scheme, index) => {
        const { tensors, calibration } = outputs.formats[index];
        const format =
          known.get(scheme.id) ?? describeCalibrated(scheme, outcome, outputs.formats[index]);
        return {
          ...withOutputErrors(format, tensors),
          ...(calibration && { calibration }),
        };
      }),
    ],
    notes: [...rounded.notes, ...outputs.notes],
    timings: { ...timings, peakRssBytes: Math.max(timings.peakRssBytes, outputs.peakRssBytes) },
  };
}

/** A scheme whose methods chose the weights. */
function describeCalibrated(
  scheme: QuantizationScheme,
  { tensors, formats, scaleDtype }: WeightsOutcome,
  { tensors: outputs, calibration }: MeasuredOutputs['formats'][number],
): FormatComparison {
  const index = formats.findIndex(({ id }) => id === scheme.format.id);
  const measured = tensors.map((quantized, at): MeasuredTensor & { readonly stored: string } => {
    const { tensor, weights, errors } = quantized;
    const stored = quantized.formats[index].id;
    const differences = outputs[at]?.weights;
    // What no method reaches is rounded to nearest.
    if (!differences) return { tensor, weights, errors: [errors[index]], stored };
    const ofMethod = { weights: new WeightAccumulator(), errors: new ErrorAccumulator() };
    for (const { weights: ofRows, errors: lost } of differences) {
      ofMethod.weights.add(ofRows);
      ofMethod.errors.add(lost);
    }
    return { tensor, weights: ofMethod.weights, errors: [ofMethod.errors], stored };
  });
  const shapes = tensors.map(({ matrixShape }) => matrixShape);
  const identity = identifyScheme(scheme, shapes, scaleDtype);
  const bits = shapes.reduce((sum, shape) => sum + countSchemeBits(scheme, shape, scaleDtype), 0);
  const described = describeMeasured(measured, 0, ({ stored }) =>
    stored === scheme.format.id ? undefined : stored,
  );
  const selected: ModelTensor[] = tensors.map(({ tensor }) => tensor);
  return {
    ...identity,
    notes: [
      ...identity.notes,
      ...noteWidths(scheme.format, selected),
      ...notesOfCalibration(calibration),
    ],
    summary: { ...described.summary, sizeBytes: Math.ceil(bits / 8) },
    layers: described.layers,
    tensors: described.tensors,
  };
}

/** A format's comparison with what it does to outputs. @param outputs one for each of its tensors */
function withOutputErrors(
  format: FormatComparison,
  outputs: readonly (TensorOutputs | undefined)[],
): FormatComparison {
  const layers = new Map<string, TensorOutputs[]>();
  const tensors = format.tensors.map((tensor, index) => {
    const measured = outputs[index];
    if (!measured) return tensor;
    const ofLayer = layers.get(tensor.layer);
    if (ofLayer) ofLayer.push(measured);
    else layers.set(tensor.layer, [measured]);
    return { ...tensor, ...measureOutputs([measured]) };
  });
  return {
    ...format,
    tensors,
    summary: { ...format.summary, ...measureOutputs([...layers.values()].flat()) },
    layers: format.layers.map((layer) => ({
      ...layer,
      ...measureOutputs(layers.get(layer.layer) ?? []),
    })),
  };
}

/** What is measured of some linear maps as if they were one; nothing of none. */
function measureOutputs(outputs: readonly TensorOutputs[]): OutputMeasures {
  if (outputs.length === 0) return {};
  const sum = (of: (each: TensorOutputs) => number) =>
    outputs.reduce((total, each) => total + of(each), 0);
  const squaredUnderflow = sum(({ split }) => split?.squaredUnderflow ?? 0);
  const squared = squaredUnderflow + sum(({ split }) => split?.squaredRounding ?? 0);
  return {
    outputSqnrDb: computeSqnr(
      sum(({ squaredOutput }) => squaredOutput),
      sum(({ squaredError }) => squaredError),
    ),
    outputUnderflowFraction: squared > 0 ? squaredUnderflow / squared : 0,
  };
}
