import type { BlockPlan, LinearPlan, NormPlan } from '../config/plan.js';
import type { InputSite } from '../forward/block.js';
import { foldOf } from './folding.js';

/** What the factors of a block's sites are folded into. */
export class Divisors {
  readonly ofNorms: { readonly norm: NormPlan; readonly factors: Float32Array }[] = [];
  /** By linear map, one for each output. */
  readonly ofRows = new Map<LinearPlan, Float32Array>();

  constructor(
    plan: BlockPlan,
    choices: readonly { readonly site: InputSite; readonly factors?: Float32Array }[],
  ) {
    for (const { site, factors } of choices) {
      if (!factors) continue;
      const fold = foldOf(plan, site);
      if (fold.kind === 'norm') this.ofNorms.push({ norm: fold.norm, factors });
      if (fold.kind !== 'rows') continue;
      for (const [input, { linear, row }] of fold.rows.entries()) {
        let divisors = this.ofRows.get(linear);
        if (!divisors) this.ofRows.set(linear, (divisors = ones(linear.outputs)));
        divisors[row] = factors[input];
      }
    }
  }
}

function ones(length: number): Float32Array {
  return new Float32Array(length).fill(1);
}

/** Multiplies columns by factors, then divides rows by divisors; each in f32. */
export function scaleRows(
  values: Float32Array,
  inputs: number,
  factors: Float32Array | undefined,
  divisors: Float32Array | undefined,
): void {
  if (factors) for (let at = 0; at < values.length; at++) values[at] *= factors[at % inputs];
  if (!divisors) return;
  for (const [row, divisor] of divisors.entries()) {
    for (let at = row * inputs; at < (row + 1) * inputs; at++) values[at] /= divisor;
  }
}
