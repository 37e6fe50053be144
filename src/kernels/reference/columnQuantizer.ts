import { roundHalfEven, saturateF32 } from '../../formats/float32.js';
import { ruleProperties } from '../../formats/rules.js';
import type { Rule } from '../../formats/types.js';
import { makeCastQuantizer } from './castGroup.js';
import type { GroupRule } from './groupQuantizer.js';
import { roundHalfAway } from './integerGroup.js';
import { divisorOf } from './scales.js';

const { fround } = Math;
const clamp = (x: number, low: number, high: number) => Math.min(Math.max(x, low), high);

/** Parameters of groups as they are stored, see `EncodedChunk`. */
export interface StoredParameters {
  readonly scales: Float32Array;
  /** Of rules with a second scale. */
  readonly negativeScales: Float32Array;
  /** Of rules with zero points. */
  readonly zeroPoints: Float32Array;
  tensorScale?: number;
}

/**
 * Replaces values by what their codes decode to, each with the parameters of a group of its own: those
 * at `first` and after it. The same values as `GroupQuantizer.quantize` gives.
 */
export type ColumnQuantizer = (
  values: Float32Array,
  parameters: StoredParameters,
  first: number,
) => void;

type Of<Kind extends GroupRule['kind']> = Extract<Rule, { kind: Kind }>;

function integers({ bits, convention, ties }: Of<'integer'>): ColumnQuantizer {
  // Signed codes are stored with an offset, and so is their zero.
  const offset = convention === 'absmax' ? -(2 ** (bits - 1)) : 0;
  const highest = 2 ** bits - 1 + offset;
  const round = ties === 'away' ? roundHalfAway : roundHalfEven;
  return (values, { scales, zeroPoints }, first) => {
    for (let i = 0; i < values.length; i++) {
      const scale = scales[first + i];
      const zero = zeroPoints[first + i] + offset;
      const scaled = fround(values[i] / divisorOf(scale));
      values[i] = scale * (clamp(fround(round(scaled) + zero), offset, highest) - zero);
    }
  };
}

function denormalIntegers({ bits, special }: Of<'denormal-integer'>): ColumnQuantizer {
  const top = 2 ** bits - 3;
  return (values, { scales, zeroPoints }, first) => {
    for (let i = 0; i < values.length; i++) {
      const scale = scales[first + i];
      const zero = zeroPoints[first + i];
      const scaled = fround(values[i] / divisorOf(scale));
      const integer = clamp(fround(roundHalfEven(scaled) + zero), 0, top) - zero;
      const denormal = scaled < 0 ? -special : special;
      const nearer = Math.abs(fround(scaled - denormal)) < Math.abs(fround(scaled - integer));
      values[i] = scale * (nearer ? denormal : integer);
    }
  };
}

function levels(rule: Of<'grid'>): ColumnQuantizer {
  const { grid, scaling } = rule;
  const { thresholds } = grid;
  // Numbers of f64: a level is read without a conversion.
  const levelValues = Float64Array.from(grid.levels);
  const smallest = fround(1e-38);
  const nearest = (scaled: number) => {
    let low = 0;
    let high = thresholds.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (scaled > thresholds[middle]) low = middle + 1;
      else high = middle;
    }
    return levelValues[low];
  };
  const bySign = ruleProperties(rule).hasNegativeScales;
  return (column, { scales, negativeScales, tensorScale }, first) => {
    for (let i = 0; i < column.length; i++) {
      const value = column[i];
      const stored = bySign && value < 0 ? negativeScales[first + i] : scales[first + i];
      const scale = tensorScale === undefined ? stored : saturateF32(fround(tensorScale * stored));
      const scaled =
        scaling === 'absmax-reciprocal'
          ? clamp(fround(value * fround(1 / Math.max(scale, smallest))), -1, 1)
          : fround(value / divisorOf(scale)) + 0;
      column[i] = nearest(scaled) * scale;
    }
  };
}

function casts({ dtype }: Of<'cast'>): ColumnQuantizer {
  const quantizer = makeCastQuantizer(dtype);
  return (values) => {
    for (let i = 0; i < values.length; i++) values[i] = quantizer.quantize(values[i]).value;
  };
}

/** The quantizer of a rule for groups whose parameters are known. */
export function makeColumnQuantizer(rule: GroupRule): ColumnQuantizer {
  switch (rule.kind) {
    case 'integer':
      return integers(rule);
    case 'denormal-integer':
      return denormalIntegers(rule);
    case 'grid':
      return levels(rule);
    case 'cast':
      return casts(rule);
  }
}
