import type { ModelTensor } from './types.js';

/** A tensor's shape as quantizers see it: outputs first, whatever way round it is stored. */
export function shapeAsMatrix({
  shape,
  transposed,
}: Pick<ModelTensor, 'shape' | 'transposed'>): readonly number[] {
  return transposed ? shape.toReversed() : shape;
}

/** Rows and columns of a tensor as a linear map: columns are inputs, all other dimensions rows. */
export function getMatrixShape(tensor: Pick<ModelTensor, 'shape' | 'elements' | 'transposed'>): {
  readonly rows: number;
  readonly columns: number;
} {
  const columns = shapeAsMatrix(tensor).at(-1) ?? 1;
  return { rows: columns === 0 ? 0 : tensor.elements / columns, columns };
}
