import { SAFETENSORS_DTYPES } from '../../src/safetensors/dtypes.js';
import { countBitsPerElement, type ElementTypeName } from '../../src/storage/elementTypes.js';
import { rawFile } from './rawSafetensors.js';

/** A part as a file may have it. Contents that are not given are small numbers, whatever the type. */
export interface ScenePart {
  readonly dtype: ElementTypeName;
  readonly shape: readonly number[];
  readonly bytes?: Uint8Array;
}

/** A weight in one of the ways in which weights are stored. */
export interface WeightScene {
  readonly what: string;
  readonly parts: Readonly<Record<string, ScenePart>>;
  readonly quantization: Readonly<Record<string, unknown>>;
}

/** Finite and positive in every type of floats, and an index within 16 in none but bytes and words. */
const FILLER = 0x30;

export const ALL_TYPES: readonly ElementTypeName[] = [...SAFETENSORS_DTYPES];

function part(dtype: ElementTypeName, shape: readonly number[], bytes?: Uint8Array): ScenePart {
  return { dtype, shape, bytes };
}

function indices(count: number, of: (index: number) => number): Uint8Array {
  return new Uint8Array(Int32Array.from({ length: count }, (_, i) => of(i)).buffer);
}

function pair(outputs: number, inputs: number): Uint8Array {
  return new Uint8Array(BigInt64Array.of(BigInt(outputs), BigInt(inputs)).buffer);
}

/** What bitsandbytes says of a weight, as the bytes of a tensor. */
export function quantState(state: unknown): ScenePart {
  const bytes = new TextEncoder().encode(JSON.stringify(state));
  return part('U8', [bytes.length], bytes);
}

export const NF4_STATE = {
  ...{ quant_type: 'nf4', blocksize: 64, dtype: 'bfloat16', shape: [8, 64] },
  ...{ nested_blocksize: 4, nested_dtype: 'float32', nested_offset: 0.5 },
};

const BITS_4 = { config_groups: { group_0: { weights: { num_bits: 4, group_size: 32 } } } };

/** One of each layout, of some 8 outputs and 64 inputs. */
export const SCENES: readonly WeightScene[] = [
  {
    what: 'GPTQ',
    parts: {
      'm.qweight': part('I32', [8, 16]),
      'm.qzeros': part('I32', [2, 2]),
      'm.scales': part('F16', [2, 16]),
      'm.g_idx': part(
        'I32',
        [64],
        indices(64, (i) => i >> 5),
      ),
    },
    quantization: { quant_method: 'gptq', bits: 4, group_size: 32, sym: false },
  },
  {
    what: 'AWQ',
    parts: {
      'm.qweight': part('I32', [64, 2]),
      'm.qzeros': part('I32', [2, 2]),
      'm.scales': part('F16', [2, 16]),
    },
    quantization: { quant_method: 'awq', bits: 4, group_size: 32, version: 'gemm' },
  },
  {
    what: 'pack-quantized',
    parts: {
      'm.weight_packed': part('I32', [8, 8]),
      'm.weight_scale': part('BF16', [8, 2]),
      'm.weight_zero_point': part('I32', [1, 2]),
      'm.weight_shape': part('I64', [2], pair(8, 64)),
      'm.weight_g_idx': part(
        'I32',
        [64],
        indices(64, (i) => i & 1),
      ),
    },
    quantization: { quant_method: 'compressed-tensors', ...BITS_4 },
  },
  {
    what: 'NVFP4',
    parts: {
      'm.weight_packed': part('U8', [8, 32]),
      'm.weight_scale': part('F8_E4M3', [8, 4]),
      'm.weight_global_scale': part('F32', [1]),
    },
    quantization: { quant_method: 'compressed-tensors' },
  },
  {
    what: 'MXFP4',
    parts: { 'm.weight_packed': part('U8', [8, 32]), 'm.weight_scale': part('U8', [8, 2]) },
    quantization: { quant_method: 'compressed-tensors' },
  },
  {
    what: 'FP8 in blocks',
    parts: { 'm.weight': part('F8_E4M3', [8, 64]), 'm.weight_scale_inv': part('F32', [2, 2]) },
    quantization: { quant_method: 'fp8', weight_block_size: [4, 32] },
  },
  {
    what: 'INT8',
    parts: {
      'm.weight': part('I8', [8, 64]),
      'm.weight_scale': part('F32', [8, 1]),
      'm.weight_zero_point': part('I8', [8, 1]),
    },
    quantization: { quant_method: 'compressed-tensors' },
  },
  {
    what: 'NF4 with nested scales',
    parts: {
      'm.weight': part('U8', [256, 1]),
      'm.weight.absmax': part('U8', [8]),
      'm.weight.quant_map': part('F32', [16]),
      'm.weight.nested_absmax': part('F32', [2]),
      'm.weight.nested_quant_map': part('F32', [256]),
      'm.weight.quant_state.bitsandbytes__nf4': quantState(NF4_STATE),
    },
    quantization: { quant_method: 'bitsandbytes' },
  },
  {
    what: 'LLM.int8()',
    parts: { 'm.weight': part('I8', [8, 64]), 'm.SCB': part('F32', [8]) },
    quantization: { quant_method: 'bitsandbytes' },
  },
  {
    what: 'MLX',
    parts: {
      'm.weight': part('U32', [8, 8]),
      'm.scales': part('F16', [8, 2]),
      'm.biases': part('F16', [8, 2]),
    },
    quantization: { bits: 4, group_size: 32 },
  },
  {
    what: 'gpt-oss',
    parts: { m_blocks: part('U8', [2, 8, 2, 16]), m_scales: part('U8', [2, 8, 2]) },
    quantization: { quant_method: 'mxfp4' },
  },
  {
    what: 'AFPQ',
    parts: {
      'm.qweight': part('I32', [8, 16]),
      'm.scales': part('F16', [2, 16]),
      'm.scales2': part('F16', [2, 16]),
    },
    quantization: { quant_method: 'afpq', format: 'nf', bits: 4 },
  },
  {
    what: 'VPTQ',
    parts: {
      'm.indices': part('I32', [1, 2, 8], new Uint8Array(64).fill(0x31)),
      'm.centroids.weight': part('F16', [1, 64]),
      'm.perm': part(
        'I32',
        [64],
        indices(64, (i) => 63 - i),
      ),
      'm.weight_scale': part('F16', [64]),
      'm.weight_bias': part('F16', [64]),
    },
    quantization: {
      quant_method: 'vptq',
      config_for_layers: {
        m: {
          ...{ vector_lens: [-1, 4], num_centroids: [-1, 16], num_res_centroids: [-1, -1] },
          ...{ out_features: 8, group_num: 1, group_size: 64, outlier_size: 0 },
        },
      },
    },
  },
];

/** The file of a scene. */
export function fileOf(parts: Readonly<Record<string, ScenePart>>): Uint8Array {
  let end = 0;
  const header: Record<string, unknown> = {};
  const data: Uint8Array[] = [];
  for (const [name, { dtype, shape, bytes }] of Object.entries(parts)) {
    const elements = shape.reduce((product, dimension) => product * dimension, 1);
    const length = Math.ceil((elements * countBitsPerElement(dtype)) / 8);
    const content = new Uint8Array(length).fill(FILLER);
    if (bytes) content.set(bytes.subarray(0, length));
    header[name] = { dtype, shape, data_offsets: [end, end + length] };
    data.push(content);
    end += length;
  }
  return rawFile(JSON.stringify(header), Buffer.concat(data));
}
