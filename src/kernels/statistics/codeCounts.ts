import { WasmKernels } from '../wasm/wasmKernels.js';
import type { Kernels } from '../types.js';
import { bitsPerElement } from '../../storage/elementTypes.js';
import type { ElementTypeName } from '../../storage/elementTypes.js';

/**
 * Counts the codes of a chunk that was read but not decoded.
 * @returns counts of 256 or 65,536 codes, and the index of the first NaN or ±Inf (−1 where none)
 */
export function countCodes(
  kernels: Kernels,
  dtype: ElementTypeName,
  elements: number,
  valueOf: (code: number) => number,
): { counts: Uint32Array; firstNonFinite: number } {
  const bytes = kernels.input(dtype, elements);
  const wide = bitsPerElement(dtype) === 16;
  const codes = wide ? new Uint16Array(bytes.buffer, bytes.byteOffset, elements) : bytes;
  let counts: Uint32Array;
  if (wide && kernels instanceof WasmKernels) {
    counts = kernels.countCodes(elements).slice();
  } else {
    counts = new Uint32Array(wide ? 65536 : 256);
    for (let i = 0; i < elements; i++) counts[codes[i]]++;
  }
  // Looked for only where there is one: most checkpoints have none.
  const special = counts.some((count, code) => count > 0 && !Number.isFinite(valueOf(code)));
  const firstNonFinite = special
    ? codes.findIndex((code: number) => !Number.isFinite(valueOf(code)))
    : -1;
  return { counts, firstNonFinite };
}
