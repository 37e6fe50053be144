import type { RangeSearch, ScaleDtype } from '../../formats/types.js';
import type { FixedRange } from '../types.js';
import { makeGroupQuantizer, type GroupRule } from './groupQuantizer.js';
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
