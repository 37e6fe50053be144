import { readFile } from 'node:fs/promises';
import {
  dequantizeGgmlBlock,
  ggmlStepErrors,
  quantizeGgmlBlock,
  type GgmlType,
} from '../../src/kernels/reference/ggml/index.js';
import { codeOf, GGML_CODES } from '../../src/kernels/wasm/configSchema.js';
import { instantiateKernels } from '../../src/kernels/wasm/wasmKernels.js';

export interface GgmlResult {
  readonly packed: Uint8Array;
  readonly values: Float32Array;
  readonly stepErrors: Float32Array;
  readonly clipped: number;
}

/** Consecutive blocks through the reference. */
export function quantizeByReference(type: GgmlType, weights: Float32Array): GgmlResult {
  const { blockSize, blockBytes } = type;
  const blocks = weights.length / blockSize;
  const packed = new Uint8Array(blocks * blockBytes);
  const values = new Float32Array(weights.length);
  const stepErrors = new Float32Array(weights.length);
  let clipped = 0;
  for (let block = 0; block < blocks; block++) {
    const part = (floats: Float32Array) =>
      floats.subarray(block * blockSize, (block + 1) * blockSize);
    const bytes = packed.subarray(block * blockBytes, (block + 1) * blockBytes);
    quantizeGgmlBlock(type, part(weights), bytes);
    dequantizeGgmlBlock(type, bytes, part(values));
    clipped += ggmlStepErrors(type, bytes, part(weights), part(stepErrors));
  }
  return { packed, values, stepErrors, clipped };
}

/**
 * The built WASM kernel, for up to `maxWeights` weights at a time. All memory that it may leave as
 * it is holds rubbish first.
 * @returns a function like {@link quantizeByReference}; without `pack`, `packed` stays empty
 */
export async function createGgmlKernel(maxWeights: number) {
  const page = 65536;
  const scratchAt = page;
  const at = (index: number) => scratchAt + 8192 + index * maxWeights * 4;
  const pages = Math.ceil(at(5) / page);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: 65536, shared: true });
  const bytes = await readFile(new URL('../../dist/kernels.wasm', import.meta.url));
  const kernels = await instantiateKernels(await WebAssembly.compile(bytes), memory);
  const { quantizeGgml } = kernels;

  return (type: GgmlType, weights: Float32Array, pack = true): GgmlResult => {
    const floats = (index: number) => new Float32Array(memory.buffer, at(index), weights.length);
    new Uint8Array(memory.buffer, scratchAt).fill(0xa5);
    floats(0).set(weights);
    const blocks = weights.length / type.blockSize;
    const packedAt = pack ? at(3) : 0;
    const code = codeOf(GGML_CODES, type.name);
    const clipped = quantizeGgml(code, at(0), at(1), at(2), blocks, packedAt, scratchAt);
    const packedBytes = pack ? blocks * type.blockBytes : 0;
    return {
      packed: new Uint8Array(memory.buffer, at(3), packedBytes).slice(),
      values: floats(1).slice(),
      stepErrors: floats(2).slice(),
      clipped,
    };
  };
}
