import type {
  AdamStep,
  BackwardKernels,
  CausalSoftmax,
  GatedBackward,
  LogitGradient,
  RmsNormBackward,
  SoftmaxBackward,
} from '../backwardKernels.js';
import type { Matrix } from '../forwardKernels.js';
import type { BackwardExports } from './backwardExports.js';

/** A matrix as exports take it. */
const place = ({ at, stride }: Matrix) => [at, stride] as const;

/** The loops of the way back in WebAssembly with 128-bit vectors. */
export class WasmBackwardKernels implements BackwardKernels {
  constructor(private readonly exports: BackwardExports) {}

  packTransposed(source: Matrix, rows: number, columns: number, target: number): void {
    this.exports.packTransposed(source.at, source.stride, rows, columns, target);
  }

  rmsNormBackward(norm: RmsNormBackward): void {
    const { source, gradient, rows, columns, weight, weightOffset, epsilon, target } = norm;
    this.exports.rmsNormBackward(
      ...place(source),
      ...place(gradient),
      rows,
      columns,
      weight,
      weightOffset,
      epsilon,
      ...place(target),
    );
  }

  gatedBackward({ gate, up, gradient, rows, columns }: GatedBackward): void {
    this.exports.gatedBackward(...place(gate), ...place(up), ...place(gradient), rows, columns);
  }

  causalSoftmax({ scores, rows, columns, first, window, scale }: CausalSoftmax): void {
    this.exports.causalSoftmax(...place(scores), rows, columns, first, window, scale);
  }

  softmaxBackward({ probabilities, gradient, rows, columns, scale }: SoftmaxBackward): void {
    this.exports.softmaxBackward(...place(probabilities), ...place(gradient), rows, columns, scale);
  }

  logitGradient(task: LogitGradient): void {
    const { student, teacher, rows, columns, parameters, gamma, factor } = task;
    this.exports.logitGradient(
      ...place(student),
      ...place(teacher ?? { at: 0, stride: 0 }),
      rows,
      columns,
      parameters,
      gamma,
      factor,
    );
  }

  adamStep(step: AdamStep): void {
    const { weights, gradient, first, second, count, beta1, beta2, epsilon } = step;
    this.exports.adamStep(
      weights,
      gradient,
      first,
      second,
      count,
      step.rate / step.correction1,
      beta1,
      beta2,
      epsilon,
      1 - step.rate * step.decay,
      1 / Math.sqrt(step.correction2),
    );
  }
}
