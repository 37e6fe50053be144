import type { ErrorSums } from '../kernels/types.js';

/** What measures need to know of the weights themselves. */
export interface WeightTotals {
  /** Weights that are numbers; the measures are about these. */
  readonly finite: number;
  /** NaN and ±Inf. */
  readonly nonFinite: number;
  readonly zeros: number;
  /** Σw² over the finite weights. */
  readonly sumSquares: number;
}

/**
 * What sort of number a measure is, from which follows how it is written and how two of them compare:
 * - `decibels`: a logarithm already; compares by difference
 * - `squaredError`: in the square of the weights' unit, over many orders of magnitude; by ratio
 * - `error`: in the unit of the weights; by ratio
 * - `ratio`: without a unit; by difference
 * - `share`: a part of one, written in per cent; by difference
 * - `count`: how many
 */
export type MeasureKind = 'decibels' | 'squaredError' | 'error' | 'ratio' | 'share' | 'count';

/** A measure of error: all that the terminal, reports and pages know of it. */
export interface MeasureDefinition {
  /** What heads its column. */
  readonly label: string;
  /** In words, for accessible names. */
  readonly spoken: string;
  readonly kind: MeasureKind;
  /** Absent where a measure does not rank formats. */
  readonly better?: 'higher' | 'lower';
  /** What a reader needs to judge the numbers, in a word or two. */
  readonly hint?: string;
  /** It is measured in steps between levels: NaN where nobody knows what levels there were. */
  readonly needsLevels?: true;
  /** Its value, given the sums over the weights; 0/0 counts as no error. */
  of(errors: ErrorSums, weights: WeightTotals): number;
}

const perWeight = (sum: number, { finite }: WeightTotals): number =>
  finite > 0 ? sum / finite : 0;

/** Signal to quantization noise: 10·log10(Σw²/Σ(ŵ−w)²) in dB; Infinity when there is no error. */
export function computeSqnr(sumSquares: number, squaredError: number): number {
  return squaredError === 0 ? Infinity : 10 * Math.log10(sumSquares / squaredError);
}

/** Every measure of error, in the order of the columns of CSV. */
const MEASURES = {
  /** Mean squared error over the finite weights, in the square of their unit. */
  mse: {
    label: 'MSE',
    spoken: 'mean squared error',
    kind: 'squaredError',
    better: 'lower',
    of: ({ squaredError }, weights) => perWeight(squaredError, weights),
  },
  /** Root mean square error, in the unit of the weights. */
  rmse: {
    label: 'RMSE',
    spoken: 'root mean square error',
    kind: 'error',
    better: 'lower',
    of: ({ squaredError }, weights) => Math.sqrt(perWeight(squaredError, weights)),
  },
  /** 10·log10(Σw²/Σ(ŵ−w)²) in dB; Infinity when there is no error. */
  sqnrDb: {
    label: 'SQNR',
    spoken: 'SQNR',
    kind: 'decibels',
    better: 'higher',
    of: ({ squaredError }, { sumSquares }) => computeSqnr(sumSquares, squaredError),
  },
  /** Cosine of the angle between w and ŵ. */
  cosine: {
    label: 'cosine',
    spoken: 'cosine similarity',
    kind: 'ratio',
    better: 'higher',
    of: ({ squaredError, squaredValue }, { sumSquares }) => {
      // Σwŵ = (Σw² + Σŵ² − Σ(ŵ−w)²)/2: nothing cancels as long as the error is the small part.
      const dot = (sumSquares + squaredValue - squaredError) / 2;
      const norms = Math.sqrt(sumSquares * squaredValue);
      return norms > 0 ? Math.min(1, Math.max(-1, dot / norms)) : squaredError === 0 ? 1 : 0;
    },
  },
  /** Largest |ŵ−w|, in the unit of the weights. */
  maxAbsError: {
    label: 'max error',
    spoken: 'largest error',
    kind: 'error',
    better: 'lower',
    of: ({ maxAbsError }) => maxAbsError,
  },
  /** Root mean square of error / width of the level interval the weight falls in; ideal 1/√12. */
  rmseOverStep: {
    label: 'RMSE / step',
    spoken: 'RMSE over step',
    kind: 'ratio',
    hint: 'ideal 0.289',
    needsLevels: true,
    of: ({ squaredStepError }, weights) => Math.sqrt(perWeight(squaredStepError, weights)),
  },
  /** Share of nonzero weights that become exactly zero. */
  underflowFraction: {
    label: 'underflow',
    spoken: 'share of weights that become zero',
    kind: 'share',
    better: 'lower',
    hint: 'to zero',
    of: ({ underflow }, { finite, zeros }) => (finite > zeros ? underflow / (finite - zeros) : 0),
  },
  /** Share of weights farther than half a step beyond the outermost level. */
  clippedFraction: {
    label: 'clipped',
    spoken: 'share of weights clipped',
    kind: 'share',
    better: 'lower',
    needsLevels: true,
    of: ({ clipped }, weights) => perWeight(clipped, weights),
  },
  /** The part of `mse` from weights that became zero (d_u of dINT's paper); the rest is rounding. */
  underflowMse: {
    label: 'underflow MSE',
    spoken: 'mean squared error from weights that become zero',
    kind: 'squaredError',
    better: 'lower',
    of: ({ squaredUnderflow }, weights) => perWeight(squaredUnderflow, weights),
  },
  /** Number of NaN and ±Inf weights; they are in no other measure. */
  nonFinite: {
    label: 'not finite',
    spoken: 'weights that are NaN or infinite',
    kind: 'count',
    of: (_, { nonFinite }) => nonFinite,
  },
} satisfies Readonly<Record<string, MeasureDefinition>>;

/** Name of a measure, which is its key in JSON and its column in CSV. */
export type ErrorMeasure = keyof typeof MEASURES;

/** Values of all measures over some weights in one format. */
export type ErrorMeasures = { readonly [Measure in keyof typeof MEASURES]: number };

export const ERROR_MEASURES: Readonly<Record<ErrorMeasure, MeasureDefinition>> = MEASURES;

/** All measures, in the order of the columns of CSV. */
export const ALL_MEASURES = Object.keys(MEASURES) as readonly ErrorMeasure[];

/** What tables have a column for, in this order. */
export const TABLE_MEASURES: readonly ErrorMeasure[] = [
  'sqnrDb',
  'mse',
  'rmseOverStep',
  'maxAbsError',
  'underflowFraction',
  'clippedFraction',
];

/** What is shown where there is room for few: of single tensors in the terminal, in the chart by layer. */
export const MAIN_MEASURES: readonly ErrorMeasure[] = [
  'sqnrDb',
  'mse',
  'maxAbsError',
  'underflowFraction',
];

/** What is measured of the outputs of linear maps, where a text passed through the model. */
export interface OutputMeasures {
  /** 10·log10(Σy²/Σ(ŷ−y)²) in dB, given the inputs that the unquantized model has; see {@link computeSqnr}. */
  readonly outputSqnrDb?: number;
  /**
   * Σ(x·d_u)²/(Σ(x·d_u)² + Σ(x·d_r)²), where d_u is the error of weights that become zero and d_r that of all others
   * (dINT, arXiv 2311.05161, equation 4); inputs as they are.
   */
  readonly outputUnderflowFraction?: number;
}

/** What tables have columns for, in this order. */
export const OUTPUT_MEASURES: readonly (keyof OutputMeasures)[] = [
  'outputSqnrDb',
  'outputUnderflowFraction',
];

/** A measure of weights or of what they do. */
export type WeightMeasure = ErrorMeasure | keyof OutputMeasures;

/** Every measure of weights and of outputs, as it is shown. */
export const WEIGHT_MEASURES: Readonly<Record<WeightMeasure, Omit<MeasureDefinition, 'of'>>> = {
  ...MEASURES,
  outputSqnrDb: {
    label: 'output SQNR',
    spoken: 'SQNR of the outputs of layers',
    kind: 'decibels',
    better: 'higher',
    hint: 'on calibration text',
  },
  outputUnderflowFraction: {
    label: 'output underflow',
    spoken: 'share of the error of outputs that comes from weights that become zero',
    kind: 'share',
    better: 'lower',
    hint: 'of output error',
  },
};

/** As {@link MAIN_MEASURES} or {@link TABLE_MEASURES}, with those of outputs where these were looked at. */
export function withOutputMeasures(
  measures: readonly ErrorMeasure[],
  hasOutputs: boolean,
): readonly WeightMeasure[] {
  const [first, ...others] = measures;
  return hasOutputs ? [first, ...OUTPUT_MEASURES, ...others] : measures;
}

/** A measure as it is shown; undefined where it was not measured or cannot be told of these weights. */
export function knownMeasure(
  measures: ErrorMeasures & OutputMeasures,
  measure: WeightMeasure,
): number | undefined {
  const value = measures[measure];
  if (value === undefined) return undefined;
  return Number.isNaN(value) && WEIGHT_MEASURES[measure].needsLevels ? undefined : value;
}

/** All measures, from the sums over the weights. */
export function measureErrors(errors: ErrorSums, weights: WeightTotals): ErrorMeasures {
  const values = ALL_MEASURES.map((id) => [id, MEASURES[id].of(errors, weights)]);
  return Object.fromEntries(values) as Record<ErrorMeasure, number>;
}
