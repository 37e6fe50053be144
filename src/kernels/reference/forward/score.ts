import { SCORE } from '../../forwardKernels.js';

/** Takes logits into a row's running sums; see `ForwardKernels.score`. */
export function scoreRow(
  logits: Float32Array,
  firstToken: number,
  target: number,
  sums: Float64Array,
): void {
  logits.forEach((logit, i) => {
    const token = firstToken + i;
    const max = sums[SCORE.max];
    if (logit > max || (logit === max && token < sums[SCORE.top])) sums[SCORE.top] = token;
    if (logit > max) {
      sums[SCORE.sum] *= Math.exp(max - logit);
      sums[SCORE.max] = logit;
    }
    if (sums[SCORE.max] > -Infinity) sums[SCORE.sum] += Math.exp(logit - sums[SCORE.max]);
    if (token === target) sums[SCORE.target] = logit;
  });
}

/**
 * Takes logits of the base and of another model into the other's sums of both divergences; see
 * `ForwardKernels.diverge`.
 */
export function divergeRow(
  base: Float32Array,
  logits: Float32Array,
  baseMax: number,
  sums: Float64Array,
): void {
  addDivergence(base, logits, baseMax, sums, SCORE.divergence, SCORE.divergenceMax);
  addDivergence(logits, base, sums[SCORE.max], sums, SCORE.reverse, SCORE.reverseMax);
}

/** Takes Σ exp(from − max)·(from − to) into the sum at `sumAt`, which refers to the max at `maxAt`. */
function addDivergence(
  from: Float32Array,
  to: Float32Array,
  max: number,
  sums: Float64Array,
  sumAt: number,
  maxAt: number,
): void {
  if (max === -Infinity) return;
  // A sum of 0 needs no factor, which may be anything as long as nothing was added.
  let sum = sums[sumAt];
  if (sum !== 0) sum *= Math.exp(sums[maxAt] - max);
  from.forEach((logit, i) => {
    // A token that one excludes takes no part, whatever the other says.
    if (logit !== -Infinity) sum += Math.exp(logit - max) * (logit - to[i]);
  });
  sums[sumAt] = sum;
  sums[maxAt] = max;
}
