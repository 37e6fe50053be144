import type { ModelTensor } from './types.js';

type Shaped = Pick<ModelTensor, 'shape' | 'transposed' | 'matrixShape'>;

/**
 * A tensor's shape as quantizers see it: outputs and inputs last, whatever way round it is stored.
 * Experts of one tensor come before them.
 */
export function shapeAsMatrix({ shape, transposed, matrixShape }: Shaped): readonly number[] {
  return matrixShape ?? (transposed ? shape.toReversed() : shape);
}

/** Rows and columns of a tensor as a linear map: columns are inputs, all other dimensions rows. */
export function getMatrixShape(tensor: Shaped & Pick<ModelTensor, 'elements'>): {
  readonly rows: number;
  readonly columns: number;
} {
  const columns = shapeAsMatrix(tensor).at(-1) ?? 1;
  return { rows: columns === 0 ? 0 : tensor.elements / columns, columns };
}
