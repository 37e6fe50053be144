import { GGML_TYPES } from '../formats/ggmlTypes.js';
import type { ElementTypeName } from '../storage/elementTypes.js';

/** How a GGUF file stores the numbers of a tensor. */
export interface TensorType {
  /** As llama.cpp writes it: "Q4_K". */
  readonly label: string;
  /** Present for plain numbers. */
  readonly elementType?: ElementTypeName;
  /** Numbers that are stored together, and the bytes that they take. */
  readonly blockSize: number;
  readonly blockBytes: number;
}

function plain(label: string, elementType: ElementTypeName, bytes: number): TensorType {
  return { label, elementType, blockSize: 1, blockBytes: bytes };
}

function block(label: string, blockSize: number, blockBytes: number): TensorType {
  return { label, blockSize, blockBytes };
}

const catalogue = new Map(
  Object.values(GGML_TYPES).map(({ name, blockSize, blockBytes }) => [
    name.toUpperCase(),
    block(name.toUpperCase(), blockSize, blockBytes),
  ]),
);

function listed(label: string): TensorType {
  return catalogue.get(label)!;
}

/** By the number that stands in files (`enum ggml_type`). Numbers that are missing were withdrawn. */
export const TENSOR_TYPES: ReadonlyMap<number, TensorType> = new Map([
  [0, plain('F32', 'F32', 4)],
  [1, plain('F16', 'F16', 2)],
  [2, listed('Q4_0')],
  [3, listed('Q4_1')],
  [6, listed('Q5_0')],
  [7, listed('Q5_1')],
  [8, listed('Q8_0')],
  [10, listed('Q2_K')],
  [11, listed('Q3_K')],
  [12, listed('Q4_K')],
  [13, listed('Q5_K')],
  [14, listed('Q6_K')],
  [16, block('IQ2_XXS', 256, 66)],
  [17, block('IQ2_XS', 256, 74)],
  [18, block('IQ3_XXS', 256, 98)],
  [19, block('IQ1_S', 256, 50)],
  [20, listed('IQ4_NL')],
  [21, block('IQ3_S', 256, 110)],
  [22, block('IQ2_S', 256, 82)],
  [23, listed('IQ4_XS')],
  [24, plain('I8', 'I8', 1)],
  [25, plain('I16', 'I16', 2)],
  [26, plain('I32', 'I32', 4)],
  [27, plain('I64', 'I64', 8)],
  [28, plain('F64', 'F64', 8)],
  [29, block('IQ1_M', 256, 56)],
  [30, plain('BF16', 'BF16', 2)],
  [34, listed('TQ1_0')],
  [35, listed('TQ2_0')],
  [39, listed('MXFP4')],
  [40, listed('NVFP4')],
  [41, listed('Q1_0')],
  [42, listed('Q2_0')],
]);
