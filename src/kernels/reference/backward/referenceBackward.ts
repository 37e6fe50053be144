import {
  LOGIT_ROW,
  type AdamStep,
  type BackwardKernels,
  type CausalSoftmax,
  type GatedBackward,
  type LogitGradient,
  type RmsNormBackward,
  type SoftmaxBackward,
} from '../../backwardKernels.js';
import type { Matrix } from '../../forwardKernels.js';

/** What the loops of the way back mean: plain loops that compute in f64 and store f32. */
export class ReferenceBackwardKernels implements BackwardKernels {
  constructor(private readonly memory: WebAssembly.Memory) {}

  packTransposed(source: Matrix, rows: number, columns: number, target: number): void {
    const packed = this.floats(target, rows * columns);
    for (let row = 0; row < rows; row++) {
      this.row(source, row, columns).forEach((x, column) => (packed[column * rows + row] = x));
    }
  }

  rmsNormBackward(norm: RmsNormBackward): void {
    const { rows, columns, weight, weightOffset, epsilon } = norm;
    const weights = this.floats(weight, columns);
    for (let row = 0; row < rows; row++) {
      const [x, gradient, target] = [norm.source, norm.gradient, norm.target].map((matrix) =>
        this.row(matrix, row, columns),
      );
      const squares = x.reduce((sum, each) => sum + each * each, 0);
      const factor = 1 / Math.sqrt(squares / columns + epsilon);
      const scaled = Float64Array.from(gradient, (d, i) => d * (weights[i] + weightOffset));
      const dot = scaled.reduce((sum, each, i) => sum + each * x[i], 0);
      const share = (factor ** 3 * dot) / columns;
      for (let i = 0; i < columns; i++) target[i] += factor * scaled[i] - share * x[i];
    }
  }

  gatedBackward({ rows, columns, ...matrices }: GatedBackward): void {
    for (let row = 0; row < rows; row++) {
      const [gate, up, gradient] = [matrices.gate, matrices.up, matrices.gradient].map((matrix) =>
        this.row(matrix, row, columns),
      );
      for (let i = 0; i < columns; i++) {
        const [g, u, d] = [gate[i], up[i], gradient[i]];
        const sigmoid = 1 / (1 + Math.exp(-g));
        gate[i] = d * u * sigmoid * (1 + g * (1 - sigmoid));
        up[i] = d * g * sigmoid;
      }
    }
  }

  causalSoftmax({ scores, rows, columns, first, window, scale }: CausalSoftmax): void {
    for (let row = 0; row < rows; row++) {
      const position = first + row;
      const isSeen = (key: number) => key <= position && (window === 0 || key > position - window);
      const values = this.row(scores, row, columns);
      const seen = Float64Array.from(values, (x, key) => (isSeen(key) ? x * scale : -Infinity));
      const top = seen.reduce((most, x) => Math.max(most, x), -Infinity);
      const sum = seen.reduce((total, x) => total + Math.exp(x - top), 0);
      seen.forEach((x, key) => (values[key] = Math.exp(x - top) / sum));
    }
  }

  softmaxBackward({ rows, columns, scale, ...matrices }: SoftmaxBackward): void {
    for (let row = 0; row < rows; row++) {
      const p = this.row(matrices.probabilities, row, columns);
      const gradient = this.row(matrices.gradient, row, columns);
      const dot = gradient.reduce((sum, d, i) => sum + d * p[i], 0);
      for (let i = 0; i < columns; i++) gradient[i] = scale * p[i] * (gradient[i] - dot);
    }
  }

  logitGradient(task: LogitGradient): void {
    const { rows, columns, gamma, factor, parameters } = task;
    for (let row = 0; row < rows; row++) {
      const at = parameters + row * LOGIT_ROW.length * 8;
      const of = new Float64Array(this.memory.buffer, at, LOGIT_ROW.length);
      const student = this.row(task.student, row, columns);
      const teacher = task.teacher && this.row(task.teacher, row, columns);
      for (let i = 0; i < columns; i++) {
        const logQ = student[i] - of[LOGIT_ROW.student];
        const q = Math.exp(logQ);
        if (!teacher) {
          student[i] = factor * q;
          continue;
        }
        const logP = teacher[i] - of[LOGIT_ROW.teacher];
        const reverse = q * (logQ - logP - of[LOGIT_ROW.reverse]);
        student[i] = factor * (gamma * reverse + (1 - gamma) * (q - Math.exp(logP)));
      }
    }
  }

  adamStep(step: AdamStep): void {
    const { count, rate, beta1, beta2, epsilon, decay, correction1, correction2 } = step;
    const [weights, gradient, first, second] = [
      ...[step.weights, step.gradient],
      ...[step.first, step.second],
    ].map((at) => this.floats(at, count));
    for (let i = 0; i < count; i++) {
      first[i] = beta1 * first[i] + (1 - beta1) * gradient[i];
      second[i] = beta2 * second[i] + (1 - beta2) * gradient[i] ** 2;
      const divisor = Math.sqrt(second[i] / correction2) + epsilon;
      weights[i] -= rate * (first[i] / correction1 / divisor + decay * weights[i]);
    }
  }

  private floats(at: number, count: number): Float32Array {
    return new Float32Array(this.memory.buffer, at, count);
  }

  private row({ at, stride }: Matrix, row: number, columns: number): Float32Array {
    return this.floats(at + row * stride * 4, columns);
  }
}
