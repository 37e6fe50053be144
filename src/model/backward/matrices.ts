import type { BackwardKernels } from '../../kernels/backwardKernels.js';
import {
  countPackedWeightBytes,
  type ForwardKernels,
  type Matrix,
} from '../../kernels/forwardKernels.js';
import type { Scratch } from '../forward/scratch.js';

/** What a product is written to. */
export interface ProductTarget {
  readonly target: Matrix;
  /** Add to it. */
  readonly accumulate?: boolean;
}

/** Products of matrices in memory, packed as they are needed. */
export class Matrices {
  constructor(
    readonly forward: ForwardKernels,
    readonly backward: BackwardKernels,
    readonly memory: WebAssembly.Memory,
  ) {}

  /** a·bᵀ. @param a [m × k] @param b [n × k] */
  timesTransposed(
    a: Matrix,
    b: Matrix,
    [m, n, k]: readonly [number, number, number],
    to: ProductTarget,
    scratch: Scratch,
  ): void {
    scratch.borrow(() => {
      const packed = scratch.take(this.forward.packedInputBytes(m, k));
      this.forward.packInputs(a, m, k, packed);
      const weights = scratch.take(countPackedWeightBytes(n, k));
      this.forward.packRows(b, n, k, weights);
      this.multiply(packed, weights, [m, n, k], to);
    });
  }

  /** a·b. @param a [m × k] @param b [k × n] */
  times(
    a: Matrix,
    b: Matrix,
    [m, n, k]: readonly [number, number, number],
    to: ProductTarget,
    scratch: Scratch,
  ): void {
    scratch.borrow(() => {
      const packed = scratch.take(this.forward.packedInputBytes(m, k));
      this.forward.packInputs(a, m, k, packed);
      const weights = scratch.take(countPackedWeightBytes(n, k));
      this.forward.packColumns(b, n, k, weights);
      this.multiply(packed, weights, [m, n, k], to);
    });
  }

  /** aᵀ·b. @param a [k × m] @param b [k × n] */
  transposedTimes(
    a: Matrix,
    b: Matrix,
    [m, n, k]: readonly [number, number, number],
    to: ProductTarget,
    scratch: Scratch,
  ): void {
    scratch.borrow(() => {
      const packed = scratch.take(this.forward.packedInputBytes(m, k));
      this.backward.packTransposed(a, k, m, packed);
      const weights = scratch.take(countPackedWeightBytes(n, k));
      this.forward.packColumns(b, n, k, weights);
      this.multiply(packed, weights, [m, n, k], to);
    });
  }

  private multiply(
    packedInputs: number,
    packedWeights: number,
    [rows, outputs, inputs]: readonly [number, number, number],
    { target, accumulate = false }: ProductTarget,
  ): void {
    const sides = { packedInputs, packedWeights, bias: 0, output: target };
    this.forward.multiply({ ...sides, rows, outputs, inputs, accumulate });
  }
}
