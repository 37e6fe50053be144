import type { NumberFormat } from '../../src/formats/types.js';
import { fitGroup } from '../../src/kernels/reference/fitGroup.js';
import type { GroupQuantizer } from '../../src/kernels/reference/groupQuantizer.js';
import type { FixedRange } from '../../src/kernels/types.js';

/** What the original loop is asked for. */
export interface PlainGptq {
  readonly weights: Float32Array;
  readonly outputs: number;
  readonly inputs: number;
  /** [inputs × inputs]. */
  readonly gram: ArrayLike<number>;
  readonly format: NumberFormat;
  readonly damp: number;
  readonly block: number;
  readonly actOrder: boolean;
  readonly staticGroups: boolean;
}

/** Lower factor L of a = L·Lᵀ. */
function cholesky(a: readonly (readonly number[])[]): number[][] {
  const n = a.length;
  const lower = a.map(() => new Array<number>(n).fill(0));
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = a[i][j];
      for (let k = 0; k < j; k++) sum -= lower[i][k] * lower[j][k];
      lower[i][j] = i === j ? Math.sqrt(sum) : sum / lower[j][j];
    }
  }
  return lower;
}

/** The upper factor U of the inverse of a = L·Lᵀ: a⁻¹ = Uᵀ·U. */
function upperOfInverse(a: readonly (readonly number[])[]): number[][] {
  const n = a.length;
  const lower = cholesky(a);
  const inverse = a.map(() => new Array<number>(n).fill(0));
  for (let column = 0; column < n; column++) {
    const y = new Array<number>(n).fill(0);
    for (let i = 0; i < n; i++) {
      let sum = i === column ? 1 : 0;
      for (let k = 0; k < i; k++) sum -= lower[i][k] * y[k];
      y[i] = sum / lower[i][i];
    }
    for (let i = n - 1; i >= 0; i--) {
      let sum = y[i];
      for (let k = i + 1; k < n; k++) sum -= lower[k][i] * inverse[k][column];
      inverse[i][column] = sum / lower[i][i];
    }
  }
  const factor = cholesky(inverse);
  return factor.map((_, i) => factor.map((row) => row[i]));
}

/** GPTQ as its authors wrote it, with the inverse, one row after the other: slow and obvious. */
export function plainGptq(task: PlainGptq): Float32Array {
  const { outputs, inputs, format, block, actOrder, staticGroups } = task;
  const { group } = format;
  const h = Array.from({ length: inputs }, (_, i) =>
    Array.from({ length: inputs }, (_, j) => task.gram[i * inputs + j]),
  );
  const dead = h.flatMap((row, i) => (row[i] === 0 ? [i] : []));
  for (const i of dead) h[i][i] = 1;
  const order = h.map((_, i) => i);
  if (actOrder) order.sort((a, b) => h[b][b] - h[a][a] || a - b);
  const permuted = order.map((i) => order.map((j) => h[i][j]));
  const mean = h.reduce((sum, row, i) => sum + row[i], 0) / inputs;
  permuted.forEach((row, i) => (row[i] += task.damp * mean));
  const u = upperOfInverse(permuted);
  const tensorRange: FixedRange = {
    lo: Math.min(...task.weights),
    hi: Math.max(...task.weights),
  };
  const size = group.kind === 'columns' || group.kind === 'blocks' ? group.size : inputs;
  const whole = group.kind === 'row' || group.kind === 'tensor';
  const result = new Float32Array(outputs * inputs);
  const fit = (weights: ArrayLike<number>) =>
    fitGroup(format, 'f32', Float32Array.from(weights), tensorRange).quantizer;
  for (let row = 0; row < outputs; row++) {
    const original = Array.from(task.weights.subarray(row * inputs, (row + 1) * inputs));
    const wholeQuantizer = fit(original);
    for (const i of dead) original[i] = 0;
    const outer = order.map((i) => original[i]);
    let quantizer: GroupQuantizer = wholeQuantizer;
    for (let first = 0; first < inputs; first += block) {
      const end = Math.min(first + block, inputs);
      const inner = outer.slice(first, end);
      const errors: number[] = [];
      for (let i = first; i < end; i++) {
        if (!whole && staticGroups) {
          const start = order[i] - (order[i] % size);
          quantizer = fit(original.slice(start, start + size));
        } else if (!whole && i % size === 0) {
          quantizer = fit(outer.slice(i, i + size));
        }
        const weight = inner[i - first];
        const { value } = quantizer.quantize(Math.fround(weight));
        const error = (weight - value) / u[i][i];
        errors.push(error);
        for (let j = i; j < end; j++) inner[j - first] -= error * u[i][j];
        result[row * inputs + order[i]] = value;
      }
      for (let j = end; j < inputs; j++) {
        errors.forEach((error, i) => (outer[j] -= error * u[first + i][j]));
      }
    }
  }
  return result;
}
