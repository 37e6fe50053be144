import type {
  CalibrationKernels,
  FactorStep,
  GramBand,
  NearestSearch,
  Propagation,
  Run,
  SquareMatrix,
  StatisticsRun,
  Window,
} from '../calibrationKernels.js';
import type { CalibrationExports } from './calibrationExports.js';

/** The loops of calibrated methods in WebAssembly with 128-bit vectors. */
export class WasmCalibrationKernels implements CalibrationKernels {
  constructor(private readonly exports: CalibrationExports) {}

  addGram({ inputs, rows, gram, band, scratch }: GramBand): void {
    const { at, order } = gram;
    this.exports.addGram(inputs.at, inputs.stride, rows, at, order, band.first, band.end, scratch);
  }

  addStatistics({ inputs, rows, columns, sumAbs, min, max }: StatisticsRun): void {
    const { first, end } = columns;
    this.exports.addStatistics(
      ...([inputs.at + first * 4, inputs.stride, rows, end - first] as const),
      ...([sumAbs + first * 8, min + first * 4, max + first * 4] as const),
    );
  }

  copyTriangle({ at, order }: SquareMatrix, rows: Run, from: 'upper' | 'lower'): void {
    this.exports.copyTriangle(at, order, rows.first, rows.end, from === 'upper' ? 1 : 0);
  }

  factorDiagonal({ matrix: { at, order }, block, scratch }: FactorStep, floors: number): boolean {
    return this.exports.factorDiagonal(at, order, block.first, block.end, floors, scratch) !== 0;
  }

  solveRows({ matrix: { at, order }, block, scratch }: FactorStep, rows: Run): void {
    this.exports.solveRows(at, order, block.first, block.end, rows.first, rows.end, scratch);
  }

  updateRows({ matrix: { at, order }, block, scratch }: FactorStep, rows: Run): void {
    this.exports.updateRows(at, order, block.first, block.end, rows.first, rows.end, scratch);
  }

  propagate(propagation: Propagation): void {
    const { factor, inverses, errors, panels, depth, columns, target, scratch } = propagation;
    this.exports.propagate(
      ...([factor.at, factor.order, inverses, errors, panels, depth] as const),
      ...([columns.first, columns.end, target, scratch] as const),
    );
  }

  packWindow(
    { factor, inverses, columns }: Pick<Propagation, 'factor' | 'inverses' | 'columns'>,
    target: number,
  ): void {
    const { first, end } = columns;
    this.exports.packWindow(factor.at, factor.order, inverses, first, end, target);
  }

  substitute({ factor, width, panels, target }: Window): void {
    this.exports.substitute(factor, width, panels, target);
  }

  gather({ factor, width, panels, target }: Window, errors: number, step: number, column: number) {
    this.exports.gather(factor, width, panels, target, errors, step, column);
  }

  spread({ factor, width, panels, target }: Window, errors: number, step: number, column: number) {
    this.exports.spread(factor, width, panels, target, errors, step, column);
  }

  findNearest({ vectors, count, length, codebook, centroids, target }: NearestSearch): void {
    const { at, stride } = vectors;
    this.exports.findNearest(at, stride, count, length, codebook, centroids, target);
  }
}
