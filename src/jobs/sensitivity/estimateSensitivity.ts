import type { ModelTensor } from '../../checkpoint/types.js';
import type { Variant, WindowScore } from '../../model/evaluation/types.js';
import type { TensorSensitivity } from '../../reports/sensitivity.js';

/** A tensor, and Σw² over its finite weights. */
export interface TensorEnergy {
  readonly tensor: Pick<ModelTensor, 'name' | 'layer' | 'nameInLayer' | 'elements'>;
  readonly sumSquares: number;
}

/** FNV-1a. */
function hashName(name: string, seed: number): number {
  let hash = 0x811c9dc5 ^ seed;
  for (let i = 0; i < name.length; i++) {
    hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  }
  return hash >>> 0;
}

/**
 * A model for each tensor and size of the noise: this tensor alone with noise.
 * @param noise squared relative errors ‖noise‖² / ‖W‖²
 */
export function noiseVariants(
  energies: readonly TensorEnergy[],
  noise: readonly number[],
  seed: number,
): Variant[] {
  return energies.flatMap(({ tensor: { name, elements }, sumSquares }) =>
    noise.map((size): Variant => {
      const deviation = Math.sqrt((size * sumSquares) / elements);
      const change = { noise: { deviation, seed: hashName(name, seed) } };
      return { id: `noise ${size} ${seed} ${name}`, changes: new Map([[name, change]]) };
    }),
  );
}

/**
 * α of one tensor: least squares through 0 of mean KL over the squared relative error, Σt²·KL / Σt⁴ (HIGGS,
 * arXiv 2411.17525, with KL in the place of the perplexity).
 * @param scores of the tensor with noise of each size, over the same windows
 */
export function estimateAlpha(
  noise: readonly number[],
  scores: readonly (readonly WindowScore[])[],
): Pick<TensorSensitivity, 'alpha' | 'standardError' | 'klDivergence'> {
  const squares = noise.reduce((sum, size) => sum + size * size, 0);
  const alphaOf = (divergences: readonly number[]) =>
    divergences.reduce((sum, each, at) => sum + noise[at] * each, 0) / squares;
  const mean = (windows: readonly WindowScore[]) =>
    windows.reduce((sum, { divergence }) => sum + divergence, 0) /
    windows.reduce((sum, { targets }) => sum + targets, 0);
  const klDivergence = scores.map(mean);
  const alpha = alphaOf(klDivergence);
  const count = scores[0].length;
  const targets = scores[0].reduce((sum, window) => sum + window.targets, 0);
  // Residuals of a ratio of sums over windows of unequal length, as for perplexities.
  const residuals = scores[0].map(
    (window, at) =>
      alphaOf(scores.map((windows) => windows[at].divergence)) - alpha * window.targets,
  );
  const sum = residuals.reduce((total, each) => total + each * each, 0);
  return {
    alpha,
    standardError: count < 2 ? null : Math.sqrt((count / (count - 1)) * sum) / targets,
    klDivergence,
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
