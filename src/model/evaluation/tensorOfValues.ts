import type { ModelTensor } from '../../checkpoint/types.js';
import { getMatrixShape } from '../../checkpoint/matrixShape.js';

/** The bytes of values where any thread can read them: in place where that is possible. */
function shared(values: Float32Array): {
  readonly bytes: SharedArrayBuffer;
  readonly offset: number;
} {
  const { buffer, byteOffset, byteLength } = values;
  if (buffer instanceof SharedArrayBuffer) return { bytes: buffer, offset: byteOffset };
  const bytes = new SharedArrayBuffer(byteLength);
  new Float32Array(bytes).set(values);
  return { bytes, offset: 0 };
}

/**
 * Values as a tensor that workers read like one in a file.
 * @param tensor what they stand for
 * @param values whole rows of it in logical order, [rows × columns]
 */
export function tensorOfValues(tensor: ModelTensor, values: Float32Array): ModelTensor {
  const { columns } = getMatrixShape(tensor);
  const { bytes, offset } = shared(values);
  return {
    ...tensor,
    source: { kind: 'memory', name: tensor.file, bytes },
    offset,
    bytes: values.byteLength,
    dtype: 'F32',
    shape: [values.length / columns, columns],
    elements: values.length,
    transposed: false,
    matrixShape: undefined,
  };
}
