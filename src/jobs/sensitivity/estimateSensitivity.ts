import type { Variant, WindowScore } from '../../model/evaluation/types.js';
import type { TensorSensitivity } from '../../reports/sensitivity.js';

/** FNV-1a. */
function hashName(name: string, seed: number): number {
  let hash = 0x811c9dc5 ^ seed;
  for (let i = 0; i < name.length; i++) {
    hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  }
  return hash >>> 0;
}

/** A tensor, and what says how large noise on it is. */
export interface NoisyTensor {
  readonly name: string;
  /** Squared relative error of noise whose standard deviation is the range of each group. */
  readonly widest: number;
}

/**
 * Models with noise on one tensor alone: for each tensor those of each size, and of each size one for each draw.
 * @param noise squared relative errors ‖noise‖² / ‖W‖²
 */
export function noiseVariants(
  tensors: readonly NoisyTensor[],
  { noise, draws, seed }: { noise: readonly number[]; draws: number; seed: number },
): Variant[] {
  return tensors.flatMap(({ name, widest }) =>
    noise.flatMap((size) =>
      Array.from({ length: draws }, (_, draw): Variant => {
        const share = widest > 0 ? Math.sqrt(size / widest) : 0;
        const change = { noise: { share, seed: hashName(`${draw} ${name}`, seed) } };
        return { id: `noise ${share} ${draw} ${seed} ${name}`, changes: new Map([[name, change]]) };
      }),
    ),
  );
}

/**
 * α of one tensor: least squares through 0 of mean KL over the squared relative error, Σt²·KL / Σt⁴ (HIGGS,
 * arXiv 2411.17525, with KL in the place of the perplexity).
 * @param scores of the tensor with noise of each size, of each size one for each draw, over the same windows
 */
export function estimateAlpha(
  noise: readonly number[],
  scores: readonly (readonly WindowScore[])[],
): Pick<TensorSensitivity, 'alpha' | 'standardError' | 'klDivergence'> {
  const draws = scores.length / noise.length;
  const squares = draws * noise.reduce((sum, size) => sum + size * size, 0);
  const sizeOf = (at: number) => noise[Math.floor(at / draws)];
  const alphaOf = (divergences: readonly number[]) =>
    divergences.reduce((sum, each, at) => sum + sizeOf(at) * each, 0) / squares;
  const targets = scores[0].reduce((sum, window) => sum + window.targets, 0);
  const means = scores.map(
    (windows) => windows.reduce((sum, { divergence }) => sum + divergence, 0) / targets,
  );
  const alpha = alphaOf(means);
  // Residuals of a ratio of sums over windows of unequal length, as for perplexities.
  const residuals = scores[0].map(
    (window, at) =>
      alphaOf(scores.map((windows) => windows[at].divergence)) - alpha * window.targets,
  );
  const count = residuals.length;
  const sum = residuals.reduce((total, each) => total + each * each, 0);
  return {
    alpha,
    standardError: count < 2 ? null : Math.sqrt((count / (count - 1)) * sum) / targets,
    klDivergence: noise.map((_, size) =>
      means
        .slice(size * draws, (size + 1) * draws)
        .reduce((total, each) => total + each / draws, 0),
    ),
  };
}

/** Token ids drawn at random, each as likely as the next (xorshift32). */
export function drawWindows(
  vocabularySize: number,
  { windows, context, seed }: { windows: number; context: number; seed: number },
): Int32Array[] {
  // Its state is never 0.
  let state = hashName('random token ids', seed) || 1;
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state = (state ^ (state << 5)) >>> 0;
    return state % vocabularySize;
  };
  return Array.from({ length: windows }, () => Int32Array.from({ length: context }, next));
}
