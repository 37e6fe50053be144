import type { TaskMachine } from '../../src/compute/taskMachine.js';
import type { NumberFormat } from '../../src/formats/types.js';
import { groupsOf } from '../../src/kernels/reference/groups.js';
import { quantizeChunk } from '../../src/kernels/reference/quantizeChunk.js';
import type { InputStatistics, ScalingGroup, SiteName } from '../../src/methods/types.js';

/** Linear maps that take the same inputs, as plain matrices. */
export interface PlainGroup {
  readonly site: SiteName;
  readonly format: NumberFormat;
  readonly inputs: number;
  /** f32 [rows × inputs]. */
  readonly rows: Float32Array;
  /** f32 [outputs × inputs], each. */
  readonly weights: readonly Float32Array[];
  /** What becomes of a row's inputs; absent: they stay floats. */
  readonly quantizeRow?: (row: Float32Array) => Float32Array;
}

/** Statistics of rows, in f64 and rounded. */
export function statisticsOf(rows: Float32Array, inputs: number): InputStatistics {
  const columnOf = (i: number) => Array.from(rows).filter((_, at) => at % inputs === i);
  const each = (of: (column: number[]) => number) =>
    Float32Array.from({ length: inputs }, (_, i) => of(columnOf(i)));
  return {
    meanAbs: each((column) => column.reduce((sum, x) => sum + Math.abs(x), 0) / column.length),
    maxAbs: each((column) => Math.max(...column.map(Math.abs))),
    min: each((column) => Math.min(...column)),
    max: each((column) => Math.max(...column)),
  };
}

/** Q(W·s)/s in f32. */
export function scaledAndBack(
  format: NumberFormat,
  weights: Float32Array,
  inputs: number,
  factors?: Float32Array,
): Float32Array {
  const scaled = weights.map((w, at) => (factors ? w * factors[at % inputs] : w));
  const output = new Float32Array(scaled.length);
  const shape = { rows: weights.length / inputs, columns: inputs };
  quantizeChunk({ format, scaleDtype: 'f32', shape, weights: scaled, output });
  return factors ? output.map((w, at) => w / factors[at % inputs]) : output;
}

/**
 * A group to scale without a model: its losses are those of its linear maps' concatenated outputs,
 * also where a module's are asked for.
 */
export function makeScalingGroup(plain: PlainGroup) {
  const { site, format, inputs, rows, weights, quantizeRow } = plain;
  const asked: {
    readonly judgedBy: string;
    readonly loss: number;
    readonly factors?: Float32Array;
  }[] = [];
  const perInput = (of: (column: number[]) => number) =>
    Float32Array.from({ length: inputs }, (_, i) =>
      of(weights.flatMap((matrix) => Array.from(matrix).filter((_, at) => at % inputs === i))),
    );
  const lossOf = (factors?: Float32Array): number => {
    const changed = weights.map((matrix) => scaledAndBack(format, matrix, inputs, factors));
    const count = rows.length / inputs;
    let [sum, terms] = [0, 0];
    for (let row = 0; row < count; row++) {
      const x = rows.slice(row * inputs, (row + 1) * inputs);
      const scaled = x.map((value, i) => (factors ? value / factors[i] : value));
      const quantized = quantizeRow?.(scaled).map((v, i) => (factors ? v * factors[i] : v)) ?? x;
      weights.forEach((matrix, linear) => {
        for (let at = 0; at < matrix.length; at += inputs) {
          let error = 0;
          for (let i = 0; i < inputs; i++) {
            error += quantized[i] * changed[linear][at + i] - x[i] * matrix[at + i];
          }
          sum += error * error;
          terms++;
        }
      });
    }
    return sum / terms;
  };
  const group: ScalingGroup = {
    machine: {} as TaskMachine,
    site,
    block: 3,
    inputs,
    linears: weights.map((matrix, i) => ({
      name: `linear${i}`,
      outputs: matrix.length / inputs,
      weights: { at: 0, stride: inputs },
    })),
    format,
    scaleDtype: 'f32',
    statistics: statisticsOf(rows, inputs),
    async loss(judgedBy, factors) {
      const loss = lossOf(factors);
      asked.push({ judgedBy, loss, factors });
      return loss;
    },
    weightMaxAbs: async () => perInput((column) => Math.max(...column.map(Math.abs))),
    weightSpans: async () => perInput((column) => Math.max(...column) - Math.min(...column)),
    async weightMeanRelative() {
      const relative = weights.map((matrix) => {
        const result = matrix.map(Math.abs);
        const shape = { rows: matrix.length / inputs, columns: inputs };
        for (const { start, end } of groupsOf(format, shape)) {
          const part = result.subarray(start, end);
          const largest = Math.max(...part);
          part.forEach((value, i) => (part[i] = value / (largest + 1e-6)));
        }
        return result;
      });
      const outputs = weights.reduce((sum, matrix) => sum + matrix.length / inputs, 0);
      const means = new Float64Array(inputs);
      for (const matrix of relative) {
        matrix.forEach((value, at) => (means[at % inputs] += value / outputs));
      }
      return Float32Array.from(means);
    },
  };
  return { group, asked };
}
