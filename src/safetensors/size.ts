import { countBitsPerElement, type ElementTypeName } from '../storage/elementTypes.js';

const U64_LIMIT = 1n << 64n;

/** An unsigned 64-bit integer: a number up to 2^53 − 1, a bigint above. */
export type Unsigned = number | bigint;

/** How large a tensor is, or which rule its shape breaks. */
export type TensorSize =
  | { readonly elements: Unsigned; readonly bytes: Unsigned }
  | { readonly rule: 'ValidationOverflow' | 'MisalignedSlice'; readonly detail: string };

/**
 * Elements and bytes of a tensor. The product is taken left to right in 64 bits, as the reference
 * does, so `[2^64 − 1, 2, 0]` overflows while `[0, 2^64 − 1, 2]` is empty.
 */
export function computeTensorSize(dtype: ElementTypeName, shape: readonly Unsigned[]): TensorSize {
  const bits = countBitsPerElement(dtype);
  let elements: Unsigned = 1;
  for (const dimension of shape) {
    elements = multiply(elements, dimension);
    if (elements >= U64_LIMIT) {
      return {
        rule: 'ValidationOverflow',
        detail: 'the product of the shape does not fit in 64 bits',
      };
    }
  }
  const totalBits = multiply(elements, bits);
  if (totalBits >= U64_LIMIT) {
    return {
      rule: 'ValidationOverflow',
      detail: `the shape times ${bits} bits does not fit in 64 bits`,
    };
  }
  const misaligned = typeof totalBits === 'number' ? totalBits % 8 !== 0 : totalBits % 8n !== 0n;
  if (misaligned) {
    return {
      rule: 'MisalignedSlice',
      detail: `${elements} elements of ${bits} bits do not fill whole bytes`,
    };
  }
  return { elements, bytes: divideBy8(totalBits) };
}

/** a − b, for b ≤ a. */
export function subtract(a: Unsigned, b: Unsigned): Unsigned {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return narrow(BigInt(a) - BigInt(b));
}

function multiply(a: Unsigned, b: Unsigned): Unsigned {
  if (typeof a === 'number' && typeof b === 'number') {
    const product = a * b;
    // A rounded product is at least 2^53 too, so the test is exact.
    if (product <= Number.MAX_SAFE_INTEGER) return product;
  }
  return narrow(BigInt(a) * BigInt(b));
}

function divideBy8(value: Unsigned): Unsigned {
  return typeof value === 'number' ? value / 8 : narrow(value / 8n);
}

function narrow(value: bigint): Unsigned {
  return value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
}
