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

/** Takes logits of the base and of another model into the other's sums; see `ForwardKernels.diverge`. */
export function divergeRow(
  base: Float32Array,
  logits: Float32Array,
  baseMax: number,
  sums: Float64Array,
): void {
  if (baseMax === -Infinity) return;
  // A sum of 0 needs no factor, which may be anything as long as nothing was added.
  let sum = sums[SCORE.divergence];
  if (sum !== 0) sum *= Math.exp(sums[SCORE.divergenceMax] - baseMax);
  base.forEach((b, i) => {
    // A token that the base excludes takes no part, whatever the other model says.
    if (b !== -Infinity) sum += Math.exp(b - baseMax) * (b - logits[i]);
  });
  sums[SCORE.divergence] = sum;
  sums[SCORE.divergenceMax] = baseMax;
}
