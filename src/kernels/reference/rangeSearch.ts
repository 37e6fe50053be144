import type { RangeSearch, ScaleDtype } from '../../formats/types.js';
import type { FixedRange } from '../types.js';
import { makeColumnQuantizer } from './columnQuantizer.js';
import { listScaleCandidates } from './gridGroup.js';
import { makeGroupQuantizer, type GroupQuantizer, type GroupRule } from './groupQuantizer.js';
import { powerTwoPointFour } from './power.js';

const { fround } = Math;

/** GPTQ's shrink search: both ends by 1 − i/100, i < 80 (section 1). */
const SHRINK_STEPS = 80;
/** BitDistiller's: each end by 1 − i/20, i < 10, the positive end in the outer loop (section 3). */
const CLIP_STEPS = 10;

/** Ranges that a search tries, in its order; the first of equally good ones wins. */
export function* listCandidateRanges(
  search: RangeSearch,
  { lo, hi }: FixedRange,
): Generator<FixedRange> {
  if (search === 'mse') {
    for (let i = 0; i < SHRINK_STEPS; i++) {
      const factor = fround(1 - i / 100);
      yield { lo: fround(factor * lo), hi: fround(factor * hi) };
    }
  } else if (search === 'clip') {
    for (let i = 0; i < CLIP_STEPS; i++) {
      for (let j = 0; j < CLIP_STEPS; j++) {
        yield { lo: fround(fround(1 - j / 20) * lo), hi: fround(fround(1 - i / 20) * hi) };
      }
    }
  } else {
    yield { lo, hi };
  }
}

/** Σ|ŵ−w|^2.4 (GPTQ's norm) or Σ(ŵ−w)² (clipping without activations), in four lanes. */
function rangeError(
  rule: GroupRule,
  search: RangeSearch,
  range: FixedRange,
  dtype: ScaleDtype,
  weights: Float32Array,
): number {
  const quantizer = makeGroupQuantizer(rule, range, dtype);
  const lanes = [0, 0, 0, 0];
  for (let i = 0; i < weights.length; i++) {
    const error = fround(quantizer.quantize(weights[i]).value - weights[i]);
    lanes[i & 3] += search === 'mse' ? powerTwoPointFour(error) : error * error;
  }
  return lanes[0] + lanes[2] + (lanes[1] + lanes[3]);
}

/** The range with the smallest error among a search's candidates. */
export function searchRange(
  rule: GroupRule,
  search: RangeSearch,
  range: FixedRange,
  dtype: ScaleDtype,
  weights: Float32Array,
): FixedRange {
  if (search === 'none' || (range.lo === 0 && range.hi === 0)) return range;
  let best = range;
  let bestError = Infinity;
  for (const candidate of listCandidateRanges(search, range)) {
    const error = rangeError(rule, search, candidate, dtype, weights);
    if (error < bestError) {
      best = candidate;
      bestError = error;
    }
  }
  return best;
}

/** A group whose weights' errors do not count alike. */
export interface WeightedGroup {
  readonly rule: GroupRule;
  readonly range: FixedRange;
  readonly dtype: ScaleDtype;
  /** Extremes of the whole tensor, where the rule needs them. */
  readonly tensor: FixedRange | undefined;
  readonly weights: Float32Array;
  /** How much the squared error of each weight counts. */
  readonly importance: Float32Array;
}

/** Of scales that are powers of two: the usual one, twice, half and a quarter of it. */
const POWERS_TRIED = [1, 2, 0.5, 0.25];

/** Ranges whose scales are tried: those of `mse`, where scales may be any number; the usual one first. */
function listWeightedRanges({ rule, range, tensor }: WeightedGroup): Iterable<FixedRange> {
  if (rule.kind === 'grid' && rule.scaling.startsWith('e4m3')) {
    return listScaleCandidates(rule, range, tensor);
  }
  if (rule.kind === 'grid' && rule.scaling.startsWith('power-of-two')) {
    return POWERS_TRIED.map((factor) => ({ lo: factor * range.lo, hi: factor * range.hi }));
  }
  return listCandidateRanges('mse', range);
}

/** Weights that are looked at before a candidate may be given up. */
const PIECE = 16;

/** The parameters with the least Σ importance·(ŵ−w)² among candidates; the first of equally good ones. */
export function searchWeightedRange(group: WeightedGroup): GroupQuantizer {
  const { rule, dtype, tensor, weights, importance } = group;
  const quantizeColumn = makeColumnQuantizer(rule);
  const [scales, negativeScales, zeroPoints, values] = Array.from(
    { length: 4 },
    () => new Float32Array(PIECE),
  );
  const errorOf = ({ tensorScale }: GroupQuantizer, atMost: number): number => {
    const parameters = { scales, negativeScales, zeroPoints, tensorScale };
    let sum = 0;
    for (let first = 0; first < weights.length && sum < atMost; first += PIECE) {
      const count = Math.min(PIECE, weights.length - first);
      for (let i = 0; i < count; i++) values[i] = weights[first + i];
      quantizeColumn(values, parameters, 0);
      for (let i = 0; i < count; i++) {
        const error = fround(values[i] - weights[first + i]);
        sum += importance[first + i] * error * error;
      }
    }
    return sum;
  };
  let best: GroupQuantizer | undefined;
  let bestError = Infinity;
  for (const candidate of listWeightedRanges(group)) {
    const quantizer = makeGroupQuantizer(rule, candidate, dtype, tensor);
    const [positive, negative = positive] = quantizer.scales;
    scales.fill(positive.value);
    negativeScales.fill(negative.value);
    zeroPoints.fill(quantizer.zeroPoint ?? 0);
    const error = errorOf(quantizer, bestError);
    best ??= quantizer;
    if (error < bestError) {
      best = quantizer;
      bestError = error;
    }
  }
  return best!;
}
