// What methods that scale input channels have in common.
import type { ChosenFactors, InputScaling, ScalingGroup } from './types.js';

const { fround } = Math;

/** Divides factors by √(largest · smallest), so that the largest and the smallest are inverses; in place, f32. */
export function normalizeFactors(factors: Float32Array): Float32Array {
  const { smallest, largest } = extremesOf(factors);
  const divisor = fround(Math.sqrt(fround(largest * smallest)));
  for (let i = 0; i < factors.length; i++) factors[i] = factors[i] / divisor;
  return factors;
}

/** Smallest and largest of factors, which are positive. */
export function extremesOf(factors: Float32Array): { smallest: number; largest: number } {
  let [smallest, largest] = [Infinity, 0];
  for (const factor of factors) {
    smallest = Math.min(smallest, factor);
    largest = Math.max(largest, factor);
  }
  return { smallest, largest };
}

/** A power in f32. */
export function power(base: number, exponent: number): number {
  return fround(Math.pow(base, fround(exponent)));
}

/** Factors are never smaller, nor are the weights that SmoothQuant divides by. */
const SMALLEST = fround(1e-5);

/**
 * max|x|^α / max|w|^(1−α) for each input, as SmoothQuant's code computes it: weights and quotients are at
 * least 1e-5; f32.
 */
export function balanceRanges(
  activations: Float32Array,
  weights: Float32Array,
  alpha: number,
): Float32Array {
  return activations.map((activation, i) => {
    const weight = Math.max(weights[i], SMALLEST);
    return Math.max(fround(power(activation, alpha) / power(weight, 1 - alpha)), SMALLEST);
  });
}

/** Factors with what a report says of them. */
export function describeFactors(
  { block, linears }: ScalingGroup,
  factors: Float32Array,
  values: Readonly<Record<string, number>>,
): ChosenFactors {
  const { smallest, largest } = extremesOf(factors);
  return {
    factors,
    finding: {
      block,
      tensors: linears.map(({ name }) => name),
      values: { ...values, smallestFactor: smallest, largestFactor: largest },
    },
  };
}

/** Factors beside the magnitudes that they even out, for charts: whoever runs a scale step adds it to the finding. */
export async function describeScaling(
  { statistics, weightMaxAbs }: ScalingGroup,
  factors: Float32Array,
): Promise<InputScaling> {
  return {
    factors: [...factors],
    inputMaxAbs: [...statistics.maxAbs],
    weightMaxAbs: [...(await weightMaxAbs())],
  };
}

/** Factors that a search tries, and the exponent that they follow from. */
export interface FactorCandidate {
  readonly exponent: number;
  readonly factors: Float32Array;
}

/** Candidates that are tried before those around the best of them. */
const EVERY = 4;

/**
 * The candidate with the least loss; the first of equally good ones wins. Some are tried before the others, from the
 * best of these on, as worse ones can then be given up early.
 * @throws where no loss is a number
 */
export async function searchFactors(
  group: ScalingGroup,
  judgedBy: 'module' | 'linears',
  candidates: readonly FactorCandidate[],
  signal?: AbortSignal,
): Promise<FactorCandidate & { readonly loss: number }> {
  let [best, least] = [-1, Infinity];
  const tryAll = async (indices: readonly number[]) => {
    for (const index of indices) {
      signal?.throwIfAborted();
      const loss = await group.loss(judgedBy, candidates[index].factors, least);
      if (loss < least || (loss === least && loss < Infinity && index < best)) {
        [best, least] = [index, loss];
      }
    }
  };
  const isFirst = (index: number) => index % EVERY === EVERY / 2;
  const indices = [...candidates.keys()];
  await tryAll(indices.filter(isFirst));
  const distance = (index: number) => Math.abs(index - Math.max(best, 0));
  const others = indices.filter((index) => !isFirst(index));
  await tryAll(others.sort((one, other) => distance(one) - distance(other)));
  if (best < 0) throw new Error(`No loss of ${group.linears[0].name} and its like is a number`);
  return { ...candidates[best], loss: least };
}
