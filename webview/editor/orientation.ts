import type { Tensor } from '../components/protocolTypes.js';

/**
 * What the dimensions of a linear layer's weight are, in the order in which it is stored: "out × in",
 * or "in × out" for the layers of GPT-2. "" for other tensors: an embedding has neither.
 */
export function axisNames({ shape, transposed, quantizedByDefault }: Tensor): string {
  if (shape.length === 3 && quantizedByDefault) {
    return transposed ? 'experts × in × out' : 'experts × out × in';
  }
  if (shape.length !== 2) return '';
  if (transposed) return 'in × out';
  return quantizedByDefault ? 'out × in' : '';
}

/** How groups lie in a tensor as it is stored: each within one `line`, over so many `steps` of it. */
export interface GroupDirection {
  readonly line: 'row' | 'column';
  readonly step: 'row' | 'column';
  /** Weights of a line. */
  readonly length: number;
}

/** Groups run along the inputs: along rows, but down the columns of what is stored [inputs × outputs]. */
export function groupDirection({ shape, transposed, matrixShape }: Tensor): GroupDirection {
  return transposed
    ? { line: 'column', step: 'row', length: matrixShape?.at(-1) ?? shape[0] }
    : { line: 'row', step: 'column', length: (matrixShape ?? shape).at(-1) ?? 1 };
}
