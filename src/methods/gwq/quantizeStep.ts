import { countRegionBytes } from '../../kernels/workspace.js';
import type { CallOptions } from '../../rpc/rpc.js';
import type {
  CalibratedLinear,
  CalibrationSite,
  QuantizeWithGradients,
  StepFinding,
} from '../types.js';
import { weightRuns } from '../weightRuns.js';
import type { SparseApi } from './tasks.js';

/** Rows of weights that a task takes. */
const TASK_ROWS = 64;

/** Option: how many of a hundred weights are kept. */
export const KEPT_OPTION = 'kept';

/** Weights of a tensor that are kept. @param elements of the tensor */
export function countKept(elements: number, percent: number): number {
  return Math.round((elements * percent) / 100);
}

/** Keeps the weights with the largest gradients, and rounds the others without regard to them. */
export const gwqStep: QuantizeWithGradients = {
  needs: 'gradients',
  async quantize(site, gradientOf, options, call) {
    const percent = Number(options[KEPT_OPTION]);
    const findings: StepFinding[] = [];
    for (const linear of site.linears) {
      findings.push(await quantizeLinear(site, linear, gradientOf(linear.name), percent, call));
    }
    return findings;
  },
};

async function quantizeLinear(
  { machine, block, inputs, format, scaleDtype }: CalibrationSite,
  linear: CalibratedLinear,
  gradient: Float32Array,
  percent: number,
  { signal }: CallOptions,
): Promise<StepFinding> {
  const { group } = format;
  const kept = findLargest(gradient, countKept(gradient.length, percent));
  let first = 0;
  let at = 0;
  const tasks = weightRuns(linear, inputs, TASK_ROWS).map((weights) => {
    const end = first + weights.rows * inputs;
    let next = at;
    while (next < kept.length && kept[next] < end) next++;
    const places = kept.slice(at, next).map((place) => place - first);
    [first, at] = [end, next];
    return {
      weights,
      kept: places,
      groupColumns: group.kind === 'columns' || group.kind === 'blocks' ? group.size : inputs,
      format: format.id,
      scaleDtype,
      scratchBytes: countRegionBytes(weights.rows * inputs),
    };
  });
  await machine.tasks<SparseApi>().run('quantizeSparse', tasks, () => undefined, signal);
  const squares = (values: Float32Array) => values.reduce((sum, value) => sum + value * value, 0);
  const all = squares(gradient);
  const ofKept = kept.reduce((sum, place) => sum + gradient[place] ** 2, 0);
  const gradientShare = all > 0 ? ofKept / all : 0;
  return { block, tensors: [linear.name], values: { kept: kept.length, gradientShare } };
}

/** Places of the largest magnitudes, ascending; of equal ones the first. */
export function findLargest(values: Float32Array, count: number): Int32Array {
  if (count === 0) return new Int32Array(0);
  const sorted = values.map(Math.abs).sort();
  const least = sorted[sorted.length - count];
  // Of those that are just as large as the least, as many as are left.
  let equal = count;
  for (let i = sorted.length - 1; i >= 0 && sorted[i] > least; i--) equal--;
  const found = new Int32Array(count);
  let at = 0;
  for (let i = 0; i < values.length; i++) {
    const size = Math.abs(values[i]);
    if (size > least || (size === least && equal-- > 0)) found[at++] = i;
  }
  return found;
}
