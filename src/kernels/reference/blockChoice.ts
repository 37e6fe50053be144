import { saturateF32 } from '../../formats/float32.js';
import { listGrids, listMinifloatLevels, roundToMinifloat } from '../../formats/grid.js';
import type { BlockChoice, Rule } from '../../formats/types.js';
import { E4M3, roundToGrid, tensorScaleOf } from './gridGroup.js';
import { findGroupRange, type GroupQuantizer, type TensorRange } from './groupQuantizer.js';
import { divisorOf } from './scales.js';

const { fround } = Math;

type ChoiceRule = Extract<Rule, { kind: 'block-choice' }>;

/** Numbers of E4M3 ≥ 0 by their codes. */
const SCALES = listMinifloatLevels(E4M3).filter((scale) => scale >= 0);

/** A block's scale as stored. Steps stay among the numbers above 0. */
function blockScale(
  { leastScale, greatestScale }: ChoiceRule,
  { divisor, expansion, steps }: BlockChoice,
  largest: number,
  tensorScale: number,
): number {
  const plain = fround(fround(largest / divisor) / divisorOf(tensorScale));
  const wanted = Math.min(Math.max(fround(expansion * plain), leastScale), greatestScale);
  const scale = roundToMinifloat(E4M3, wanted);
  if (steps === 0) return scale;
  const code = SCALES.indexOf(scale) + steps;
  return SCALES[Math.min(Math.max(code, 1), SCALES.length - 1)];
}

/** Σ importance·(ŵ−w)² in four lanes, as searches for a range have it. @param importance absent: 1 */
function squaredError(
  { quantize }: GroupQuantizer,
  weights: Float32Array,
  importance: Float32Array | undefined,
): number {
  const lanes = [0, 0, 0, 0];
  weights.forEach((weight, i) => {
    const error = fround(quantize(weight).value - weight);
    lanes[i & 3] += error * error * (importance?.[i] ?? 1);
  });
  return lanes[0] + lanes[2] + (lanes[1] + lanes[3]);
}

/**
 * The parameters of a block: those of the choice with the least squared error, of equal ones the first
 * (section 4.8).
 * @param importance how much the error of each weight counts; absent: alike
 * @throws where the range of the tensor is missing
 */
export function fitBlock(
  rule: ChoiceRule,
  weights: Float32Array,
  tensor: TensorRange | undefined,
  importance?: Float32Array,
): GroupQuantizer {
  const tensorScale = tensorScaleOf(rule, tensor)!;
  const { lo, hi } = findGroupRange(weights);
  const grids = listGrids(rule.choices);
  const quantizers = rule.choices.map((choice): GroupQuantizer => {
    const stored = blockScale(rule, choice, Math.max(hi, -lo), tensorScale);
    const scale = saturateF32(fround(tensorScale * stored));
    const divisor = divisorOf(scale);
    return {
      scales: [{ value: stored, exactEnough: true }],
      tensorScale,
      grid: grids.length > 1 ? grids.indexOf(choice.grid) : undefined,
      // A weight of −0 counts as +0.
      ...roundToGrid(
        choice.grid,
        (weight) => fround(weight / divisor) + 0,
        () => scale,
      ),
    };
  });
  const errors = quantizers.map((quantizer) => squaredError(quantizer, weights, importance));
  return quantizers[errors.indexOf(Math.min(...errors))];
}
