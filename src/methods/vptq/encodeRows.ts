import type { CalibrationKernels } from '../../kernels/calibrationKernels.js';
import { ColumnSweep, sweepBytes } from './columnSweep.js';
import { LONGEST_VECTOR } from './settings.js';
import type { CodedGroup, EncodeTask, Loss, MeasureTask, SweepTask } from './tasks.js';

const { fround } = Math;
const ALIGNMENT = 64;

/** Bytes of a column of vectors, and of their places. */
function columnBytes(rows: number): number {
  return (rows + LONGEST_VECTOR) * 4;
}

/** Bytes that a task over so many rows needs. */
export function encodeScratchBytes(rows: number, inputs: number): number {
  return sweepBytes(rows, inputs) + 2 * (columnBytes(rows) + ALIGNMENT);
}

/** Looks columns of some rows of weights up in codebooks, see `VptqApi`. */
export class RowsToEncode {
  private readonly sweep: ColumnSweep;
  private readonly rows: number;
  private readonly floats: Float32Array;
  /** Address of a column's vectors: component after component. */
  private readonly vectors: number;
  private readonly places: Int32Array;
  private readonly column: Float32Array;
  private readonly values: Float32Array;
  private readonly dead: ReadonlySet<number>;

  constructor(
    memory: WebAssembly.Memory,
    private readonly kernels: CalibrationKernels,
    private readonly task: SweepTask,
  ) {
    const { rows, inputs, region, factor } = task;
    this.rows = rows.end - rows.first;
    this.sweep = new ColumnSweep(memory, kernels, factor, this.rows, region.start);
    this.floats = new Float32Array(memory.buffer);
    const place = (at: number) => Math.ceil(at / ALIGNMENT) * ALIGNMENT;
    this.vectors = place(region.start + sweepBytes(this.rows, inputs));
    const placesAt = place(this.vectors + columnBytes(this.rows));
    this.places = new Int32Array(memory.buffer, placesAt, columnBytes(this.rows) / 4);
    this.column = new Float32Array(this.rows);
    this.values = new Float32Array(this.rows);
    this.dead = new Set(task.dead);
  }

  measure(lost: MeasureTask['lost']): Loss {
    const { task, rows, column, values, sweep } = this;
    const isAll = lost === 'weights';
    for (const group of task.groups) {
      for (let k = group.first; k < group.end; k++) {
        for (let row = 0; row < rows; row++) column[row] = this.floats[this.copyAt(row, k)];
        if (!isAll) this.decodeNearest(group, false);
        const bias = isAll ? (task.norms?.biases[k] ?? 0) : 0;
        for (let row = 0; row < rows; row++) {
          const part = isAll ? column[row] : column[row] - values[row];
          sweep.setError(row, k, part * this.scaleOf(k) + bias);
        }
      }
    }
    return this.sumLoss();
  }

  encode({ rest }: Pick<EncodeTask, 'rest'>): Loss {
    const { task, rows, column, values, floats, sweep } = this;
    let group = 0;
    sweep.run((k) => {
      while (k >= task.groups[group].end) group++;
      for (let row = 0; row < rows; row++) {
        column[row] = floats[this.copyAt(row, k)] + sweep.change(row, k);
      }
      this.decodeNearest(task.groups[group], rest === undefined);
      for (let row = 0; row < rows; row++) {
        const at = this.copyAt(row, k);
        sweep.setError(row, k, floats[at] - values[row]);
        if (rest) {
          floats[rest.at / 4 + (task.rows.first + row) * rest.stride + k] =
            column[row] - values[row];
        } else {
          floats[at] = values[row];
        }
      }
    });
    for (let k = 0; k < task.inputs; k++) {
      for (let row = 0; row < rows; row++) {
        sweep.setError(row, k, sweep.error(row, k) * this.scaleOf(k));
      }
    }
    return this.sumLoss();
  }

  private copyAt(row: number, k: number): number {
    const { copy, rows } = this.task;
    return copy.at / 4 + (rows.first + row) * copy.stride + k;
  }

  private scaleOf(k: number): number {
    return this.task.norms?.scales[k] ?? 1;
  }

  /** Sets the values of the column's nearest centroids, greedily of both codebooks; 0 where no vector reaches. */
  private decodeNearest(group: CodedGroup, useResidual: boolean): void {
    const { column, values, floats, rows, task } = this;
    const { length, codebook, centroids, residualCodebook, residualCentroids } = group;
    const reached = Math.ceil(task.outputs / length) * length - task.rows.first;
    const count = Math.min(rows, reached) / length;
    values.fill(0);
    this.lookUp(column, length, count, codebook, centroids);
    for (let row = 0; row < count * length; row++) {
      const vector = Math.floor(row / length);
      values[row] = floats[codebook / 4 + this.places[vector] * length + (row % length)];
    }
    if (!useResidual || residualCentroids === 0) return;
    for (let row = 0; row < rows; row++) column[row] -= values[row];
    this.lookUp(column, length, count, residualCodebook, residualCentroids);
    for (let row = 0; row < count * length; row++) {
      const vector = Math.floor(row / length);
      const at = residualCodebook / 4 + this.places[vector] * length + (row % length);
      values[row] = fround(values[row] + floats[at]);
    }
  }

  private lookUp(
    column: Float32Array,
    length: number,
    count: number,
    codebook: number,
    centroids: number,
  ): void {
    const at = this.vectors / 4;
    for (let row = 0; row < count * length; row++) {
      this.floats[at + (row % length) * count + Math.floor(row / length)] = column[row];
    }
    this.kernels.findNearest({
      vectors: { at: this.vectors, stride: count },
      ...{ count, length, codebook, centroids },
      target: this.places.byteOffset,
    });
  }

  private sumLoss(): Loss {
    const { sweep, task, dead } = this;
    const rows = Math.min(this.rows, task.outputs - task.rows.first);
    for (const k of dead) for (let row = 0; row < this.rows; row++) sweep.setError(row, k, 0);
    let [products, squares] = [0, 0];
    sweep.run((k) => {
      const pivot = sweep.pivot(k);
      for (let row = 0; row < rows; row++) {
        const error = sweep.error(row, k);
        products += (error + sweep.change(row, k)) ** 2 * pivot;
        squares += error * error;
      }
    });
    return { products, squares };
  }
}
