import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { f32Tensor, syntheticWeights, temporaryFolder, writeCheckpoint } from './checkpoints.js';
import type { TestTensor } from './checkpoints.js';

/** Tensors of a small checkpoint by name. */
export type Tensors = Readonly<Record<string, TestTensor>>;

/** Name of the module that the builders below make. */
export const MODULE = 'model.layers.0.mlp.down_proj';

/** Reproducible bytes, of all values. */
export function noise(count: number, seed = 7): Uint8Array {
  let state = seed;
  return Uint8Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  });
}

export function words(shape: readonly number[], values: ArrayLike<number>): TestTensor {
  return { dtype: 'I32', shape, bytes: new Uint8Array(Uint32Array.from(values).buffer) };
}

export function bytes(dtype: TestTensor['dtype'], shape: readonly number[], values: Uint8Array) {
  return { dtype, shape, bytes: values };
}

export function floats(shape: readonly number[], value: number | ArrayLike<number>): TestTensor {
  const count = shape.reduce((product, dimension) => product * dimension, 1);
  const values = typeof value === 'number' ? new Float32Array(count).fill(value) : value;
  return f32Tensor(shape, Float32Array.from(values));
}

export function weights(shape: readonly number[], seed = 1): TestTensor {
  const count = shape.reduce((product, dimension) => product * dimension, 1);
  return f32Tensor(shape, syntheticWeights(count, seed));
}

export function noiseWords(shape: readonly number[], mask = 0xffffffff): TestTensor {
  const [rows, columns] = shape;
  const all = new Uint32Array(noise(rows * columns * 4).buffer);
  return words(
    shape,
    all.map((word) => (word & mask) >>> 0),
  );
}

/** GPTQ, 4 bits, 64 inputs in groups of 32, 16 outputs. */
export function gptqTensors(zeroWord: number, more: Tensors = {}): Tensors {
  return {
    [`${MODULE}.qweight`]: noiseWords([8, 16]),
    [`${MODULE}.qzeros`]: words([2, 2], new Array<number>(4).fill(zeroWord)),
    [`${MODULE}.scales`]: floats([2, 16], 0.01),
    [`${MODULE}.g_idx`]: words(
      [64],
      Array.from({ length: 64 }, (_, i) => Math.floor(i / 32)),
    ),
    ...more,
  };
}

export const GPTQ = { quant_method: 'gptq', bits: 4, group_size: 32, sym: true };

/** Pack-quantized of compressed-tensors, 64 inputs, one group of 64 to a row, 8 outputs. */
export function packedTensors(wordsPerRow: number, more: Tensors = {}, mask?: number): Tensors {
  return {
    [`${MODULE}.weight_packed`]: noiseWords([8, wordsPerRow], mask),
    [`${MODULE}.weight_scale`]: floats([8, 1], 0.01),
    [`${MODULE}.weight_shape`]: shapeTensor(8, 64),
    ...more,
  };
}

export function shapeTensor(outputs: number, inputs: number): TestTensor {
  const shape = BigInt64Array.of(BigInt(outputs), BigInt(inputs));
  return { dtype: 'I64', shape: [2], bytes: new Uint8Array(shape.buffer) };
}

/** `quantization_config` of compressed-tensors. */
export function compressedTensors(bits: number, more: Readonly<Record<string, unknown>> = {}) {
  const group = { targets: ['Linear'], weights: { num_bits: bits, type: 'int', group_size: 64 } };
  return { quant_method: 'compressed-tensors', config_groups: { group_0: group }, ...more };
}

/** NVFP4, 4 rows of 64, block scales of E4M3 256 (0x78). */
export function nvfp4Tensors(whole: 'weight_global_scale' | 'weight_scale_2', value: number) {
  const codes = whole === 'weight_global_scale' ? 'weight_packed' : 'weight';
  return {
    [`${MODULE}.${codes}`]: bytes('U8', [4, 32], noise(128)),
    [`${MODULE}.weight_scale`]: bytes('F8_E4M3', [4, 4], new Uint8Array(16).fill(0x78)),
    [`${MODULE}.${whole}`]: floats([1], value),
  };
}

/** MXFP4, 8 rows of 512 whose blocks have the given codes as their largest, in turn. */
export function mxfp4Tensors(largest: readonly number[]): Tensors {
  const codes = noise(8 * 256).map((byte) => byte & 0x33);
  for (let block = 0; block < 128; block++) codes[block * 16 + 3] = largest[block % largest.length];
  return {
    [`${MODULE}.weight_packed`]: bytes('U8', [8, 256], codes),
    [`${MODULE}.weight_scale`]: bytes('U8', [8, 16], new Uint8Array(128).fill(120)),
  };
}

/** Writes a model folder; returns its path. */
export async function writeModel(
  tensors: Tensors,
  config?: Readonly<Record<string, unknown>>,
): Promise<string> {
  const folder = await temporaryFolder();
  await writeCheckpoint(tensors, folder);
  if (config) await writeFile(join(folder, 'config.json'), JSON.stringify(config));
  return folder;
}
