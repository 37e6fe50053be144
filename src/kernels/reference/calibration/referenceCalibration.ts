import {
  PRODUCT_RUN,
  type CalibrationKernels,
  type FactorStep,
  type GramBand,
  type NearestSearch,
  type Propagation,
  type Run,
  type SquareMatrix,
  type StatisticsRun,
  type Window,
} from '../../calibrationKernels.js';
import * as factor from './factor.js';
import { findNearest } from './nearest.js';
import * as propagation from './propagate.js';

/** What the loops of calibrated methods mean: plain loops in f64, products of inputs in f32. */
export class ReferenceCalibrationKernels implements CalibrationKernels {
  constructor(private readonly memory: WebAssembly.Memory) {}

  addGram({ inputs, rows, gram, band }: GramBand): void {
    const x = new Float32Array(this.memory.buffer);
    const sums = this.doubles();
    for (let start = 0; start < rows; start += PRODUCT_RUN) {
      const end = Math.min(start + PRODUCT_RUN, rows);
      for (let i = band.first; i < band.end; i++) {
        for (let j = band.first; j < gram.order; j++) {
          let sum = 0;
          for (let row = start; row < end; row++) {
            const at = inputs.at / 4 + row * inputs.stride;
            sum = Math.fround(sum + x[at + i] * x[at + j]);
          }
          sums[gram.at / 8 + i * gram.order + j] += sum;
        }
      }
    }
  }

  addStatistics({ inputs, rows, columns, sumAbs, min, max }: StatisticsRun): void {
    const floats = new Float32Array(this.memory.buffer);
    const sums = this.doubles();
    for (let row = 0; row < rows; row++) {
      for (let i = columns.first; i < columns.end; i++) {
        const x = floats[inputs.at / 4 + row * inputs.stride + i];
        sums[sumAbs / 8 + i] += Math.abs(x);
        floats[min / 4 + i] = Math.min(floats[min / 4 + i], x);
        floats[max / 4 + i] = Math.max(floats[max / 4 + i], x);
      }
    }
  }

  copyTriangle(matrix: SquareMatrix, rows: Run, from: 'upper' | 'lower'): void {
    factor.copyTriangle(this.doubles(), matrix, rows, from);
  }

  factorDiagonal(step: FactorStep, floors: number): boolean {
    return factor.factorDiagonal(this.doubles(), step, floors);
  }

  solveRows(step: FactorStep, rows: Run): void {
    factor.solveRows(this.doubles(), step, rows);
  }

  updateRows(step: FactorStep, rows: Run): void {
    factor.updateRows(this.doubles(), step, rows);
  }

  propagate(added: Propagation): void {
    propagation.propagate(this.doubles(), added);
  }

  packWindow(source: Pick<Propagation, 'factor' | 'inverses' | 'columns'>, target: number): void {
    propagation.packWindow(this.doubles(), source, target);
  }

  substitute(window: Window): void {
    propagation.substitute(this.doubles(), window);
  }

  gather(window: Window, errors: number, step: number, column: number): void {
    propagation.gather(this.doubles(), window, errors, step, column);
  }

  spread(window: Window, errors: number, step: number, column: number): void {
    propagation.spread(this.doubles(), window, errors, step, column);
  }

  findNearest(search: NearestSearch): void {
    findNearest(this.memory, search);
  }

  /** The memory may have grown since. */
  private doubles(): Float64Array {
    return new Float64Array(this.memory.buffer);
  }
}
