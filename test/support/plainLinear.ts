import type { WorkerPool } from '../../src/compute/workerPool.js';
import type { LinearPlan, NormPlan } from '../../src/model/config/plan.js';
import type { LanguageModel } from '../../src/model/evaluation/types.js';
import { logicalValues } from './languageModels.js';

/** Rows of numbers. */
export type Rows = readonly Float64Array[];

/** Cuts f32 [rows × columns] into rows. */
export function rowsOf(values: Float32Array, columns: number): Rows {
  return Array.from({ length: values.length / columns }, (_, row) =>
    Float64Array.from(values.subarray(row * columns, (row + 1) * columns)),
  );
}

/** All values times a factor. */
export function scale(rows: Rows, factor: number): Rows {
  return rows.map((row) => row.map((value) => value * factor));
}

export function add(a: Rows, b: Rows): Rows {
  return a.map((row, i) => row.map((v, j) => v + b[i][j]));
}

/** A model's linear maps and norms as plain loops in f64, by their definitions. */
export class PlainLayers {
  private readonly values = new Map<string, Float32Array>();

  constructor(
    private readonly pool: WorkerPool,
    private readonly model: LanguageModel,
  ) {}

  private async tensor(name: string): Promise<Float32Array> {
    const values = this.values.get(name) ?? (await logicalValues(this.pool, this.model, name));
    this.values.set(name, values);
    return values;
  }

  async linear(
    { weight, bias, outputs, inputs, firstRow = 0 }: LinearPlan,
    rows: Rows,
  ): Promise<Rows> {
    const w = await this.tensor(weight);
    const b = bias === undefined ? undefined : await this.tensor(bias);
    return rows.map((x) => {
      const y = new Float64Array(outputs);
      for (let n = 0; n < outputs; n++) {
        let sum = b?.[n] ?? 0;
        for (let k = 0; k < inputs; k++) sum += x[k] * w[(firstRow + n) * inputs + k];
        y[n] = sum;
      }
      return y;
    });
  }

  /** The rows themselves where there is no norm. */
  async norm(norm: NormPlan | undefined, rows: Rows): Promise<Rows> {
    if (!norm) return rows;
    const { kind, weight, bias, epsilon, weightOffset } = norm;
    const w = weight === undefined ? undefined : await this.tensor(weight);
    const b = bias === undefined ? undefined : await this.tensor(bias);
    return rows.map((x) => {
      const mean = kind === 'rms' ? 0 : x.reduce((sum, v) => sum + v, 0) / x.length;
      const square = x.reduce((sum, v) => sum + (v - mean) ** 2, 0) / x.length;
      return x.map(
        (v, i) =>
          ((v - mean) / Math.sqrt(square + epsilon)) * ((w?.[i] ?? 1) + weightOffset) +
          (b?.[i] ?? 0),
      );
    });
  }
}
