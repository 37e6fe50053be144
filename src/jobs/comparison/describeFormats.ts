import {
  countGroups,
  ruleProperties,
  type NumberFormat,
  type ScaleDtype,
} from '../../formats/index.js';
import type { ErrorSums } from '../../kernels/types.js';
import { ErrorAccumulator, WeightAccumulator } from '../../metrics/errorAccumulator.js';
import type { FormatComparison, LayerComparison, TensorComparison } from '../../reports/reports.js';
import { computeStoredSize, identifyFormat } from '../formatList.js';
import { noteWidths } from '../widthNotes.js';
import type { QuantizedTensor } from './quantizeTensors.js';

/** A tensor whose weights were measured against what stands in their place, in one way or several. */
export type MeasuredTensor = Pick<QuantizedTensor, 'tensor' | 'weights' | 'errors'>;

/** Sums over several tensors in one format. */
class Totals {
  readonly weights = new WeightAccumulator();
  readonly errors = new ErrorAccumulator();
  tensors = 0;

  add({ weights, errors }: MeasuredTensor, format: number): void {
    this.weights.merge(weights);
    this.errors.add(errors[format].sums);
    this.tensors++;
  }

  /** Their measures, as if they were one tensor. */
  describe() {
    const { weights, errors, tensors } = this;
    return {
      tensors,
      parameters: weights.elements,
      sumSquares: weights.sumSquares,
      ...errors.measures(weights),
    };
  }
}

/** What became of the weights, format by format. */
export function describeFormats(
  formats: readonly NumberFormat[],
  tensors: readonly QuantizedTensor[],
  scaleDtype: ScaleDtype,
): FormatComparison[] {
  return formats.map((format, index) => describeFormat(format, index, scaleDtype, tensors));
}

function describeFormat(
  format: NumberFormat,
  index: number,
  scaleDtype: ScaleDtype,
  tensors: readonly QuantizedTensor[],
): FormatComparison {
  let groups = 0;
  for (const quantized of tensors) {
    groups += countGroups(quantized.formats[index], quantized.matrixShape);
  }
  const { errors, ...described } = describeMeasured(tensors, index, ({ formats }) => {
    const stored = formats[index].id;
    return stored === format.id ? undefined : stored;
  });
  const shapes = tensors.map(({ matrixShape }) => matrixShape);
  const size = computeStoredSize(format, shapes, scaleDtype);
  const identity = identifyFormat(format, size);
  return {
    ...identity,
    notes: [
      ...identity.notes,
      ...noteWidths(
        format,
        tensors.map(({ tensor }) => tensor),
      ),
      ...warnings(format, scaleDtype, errors, groups),
      ...nonFiniteWarnings(tensors),
    ],
    summary: { ...described.summary, sizeBytes: Math.ceil(size.bits / 8) },
    layers: described.layers,
    tensors: described.tensors,
  };
}

/** All tensors together, by layer, and each. */
export interface MeasuredTensors extends Pick<FormatComparison, 'layers' | 'tensors'> {
  readonly summary: Omit<FormatComparison['summary'], 'sizeBytes'>;
  readonly errors: ErrorSums;
}

/**
 * What measured tensors come to in one of the ways.
 * @param storedAs what a tensor is stored as, where that is to be said
 */
export function describeMeasured<Tensor extends MeasuredTensor>(
  tensors: readonly Tensor[],
  index: number,
  storedAs: (tensor: Tensor) => string | undefined,
): MeasuredTensors {
  const total = new Totals();
  for (const each of tensors) total.add(each, index);
  return {
    errors: total.errors.sums,
    summary: total.describe(),
    layers: describeLayers(tensors, index),
    tensors: tensors.map((each) => describeTensor(each, index, storedAs(each))),
  };
}

function describeTensor(
  { tensor, weights, errors }: MeasuredTensor,
  index: number,
  storedAs: string | undefined,
): TensorComparison {
  const { name, layer, nameInLayer, shape, transposed, elements } = tensor;
  return {
    name,
    layer,
    nameInLayer,
    shape,
    transposed,
    ...(storedAs !== undefined && { storedAs }),
    parameters: elements,
    sumSquares: weights.sumSquares,
    ...errors[index].measures(weights),
  };
}

/** Totals by layer, in the order in which layers first occur. */
function describeLayers(tensors: readonly MeasuredTensor[], format: number): LayerComparison[] {
  const layers = new Map<string, Totals>();
  for (const quantized of tensors) {
    const { layer } = quantized.tensor;
    if (layer === '') continue;
    const totals = layers.get(layer) ?? new Totals();
    layers.set(layer, totals);
    totals.add(quantized, format);
  }
  return [...layers].map(([layer, totals]) => ({ layer, ...totals.describe() }));
}

/** Largest values of the types that weights are cast to. */
const LARGEST_CAST: Readonly<Record<ScaleDtype, string>> = {
  f16: '65,504',
  bf16: '3.3895e38',
  f32: '3.4028e38',
};

function warnings(
  { entry }: NumberFormat,
  scaleDtype: ScaleDtype,
  errors: ErrorSums,
  groups: number,
): string[] {
  const properties = ruleProperties(entry.rule);
  const list: string[] = [];
  // One group per tensor is seen chunk by chunk; the count must not exceed the groups there are.
  const of = (count: number) => `${Math.min(count, groups)} of ${groups} groups`;
  if (errors.badScales > 0) {
    list.push(
      `${of(errors.badScales)} have a scale that ${scaleDtype} cannot hold to its precision; a wider scale type avoids this.`,
    );
  }
  if (!Number.isFinite(errors.squaredError)) {
    list.push(
      "Some weights are beyond what this format's scales can hold; they decode to infinity.",
    );
  }
  if (entry.rule.kind === 'cast' && errors.clipped > 0) {
    const are = errors.clipped === 1 ? 'weight lies' : 'weights lie';
    const most = LARGEST_CAST[entry.rule.dtype];
    const count = errors.clipped.toLocaleString('en-US');
    list.push(
      `${count} ${are} beyond ±${most} and ${errors.clipped === 1 ? 'is' : 'are'} stored as ±${most}; other programs cast such weights to infinity.`,
    );
  }
  if (properties.failsOneSigned && errors.oneSigned > 0) {
    list.push(
      `${of(errors.oneSigned)} have weights of one sign only, which symmetric integers clip or waste codes on.`,
    );
  }
  if (properties.failsNotStraddling && errors.notStraddling > 0) {
    list.push(
      `${of(errors.notStraddling)} do not straddle zero or span less than 1e-5, where this quantizer saturates or gives zeros.`,
    );
  }
  return list;
}

function nonFiniteWarnings(tensors: readonly QuantizedTensor[]): string[] {
  const affected = tensors.filter(({ weights }) => weights.nonFinite > 0);
  if (affected.length === 0) return [];
  const count = affected.reduce((sum, { weights }) => sum + weights.nonFinite, 0);
  const [{ tensor, weights }] = affected;
  return [
    `${count} weights are NaN or infinite, the first at index ${weights.firstNonFinite} of "${tensor.name}"; they are left out of every measure and quantize to 0.`,
  ];
}
