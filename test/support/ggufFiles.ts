import { encodeGguf } from '../../scripts/lib/writeGguf.mjs';
import { GGML_TYPES } from '../../src/formats/ggmlTypes.js';
import type { GgmlTypeName } from '../../src/formats/types.js';
import { storeF16 } from '../../src/kernels/reference/ggml/float32.js';
import { f16FromBits } from '../../src/storage/elementValues.js';
import { quantizeByReference } from './ggml.js';
import { floatsOf, type RawTensor } from './rawSafetensors.js';

// What llama.cpp's converter does to published checkpoints, written once more for tests.

type Config = Readonly<Record<string, unknown>>;
export type GgufKeys = readonly (readonly [key: string, type: string, value: unknown])[];
type Keys = [key: string, type: string, value: unknown][];

export interface GgufTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: number;
  readonly data: Uint8Array;
}

const NUMBERS = { f32: 0, f16: 1, bf16: 30 };
const BLOCKS: Partial<Record<GgmlTypeName, number>> = {
  q4_0: 2,
  q5_1: 7,
  q8_0: 8,
  q4_k: 12,
  q5_k: 13,
  q6_k: 14,
};

/** Type of the matrices; everything else stays F32. */
export type MatrixType = 'f32' | 'f16' | 'bf16' | 'q8_0' | 'q4_k' | 'q5_k' | 'q6_k';

const NAMES: Readonly<Record<string, string>> = {
  'model.embed_tokens': 'token_embd',
  'model.norm': 'output_norm',
  'model.final_layernorm': 'output_norm',
  lm_head: 'output',
  'transformer.wte': 'token_embd',
  'transformer.wpe': 'position_embd',
  'transformer.ln_f': 'output_norm',
  'gpt_neox.embed_in': 'token_embd',
  'gpt_neox.final_layer_norm': 'output_norm',
  embed_out: 'output',
  'self_attn.q_proj': 'attn_q',
  'self_attn.k_proj': 'attn_k',
  'self_attn.v_proj': 'attn_v',
  'self_attn.o_proj': 'attn_output',
  'self_attn.dense': 'attn_output',
  'self_attn.qkv_proj': 'attn_qkv',
  'self_attn.q_norm': 'attn_q_norm',
  'self_attn.k_norm': 'attn_k_norm',
  'attention.query_key_value': 'attn_qkv',
  'attention.dense': 'attn_output',
  'attn.c_attn': 'attn_qkv',
  'attn.c_proj': 'attn_output',
  input_layernorm: 'attn_norm',
  ln_1: 'attn_norm',
  post_attention_layernorm: 'ffn_norm',
  ln_2: 'ffn_norm',
  pre_feedforward_layernorm: 'ffn_norm',
  post_feedforward_layernorm: 'post_ffw_norm',
  'mlp.gate_proj': 'ffn_gate',
  'mlp.up_proj': 'ffn_up',
  'mlp.gate_up_proj': 'ffn_up',
  'mlp.down_proj': 'ffn_down',
  'mlp.fc1': 'ffn_up',
  'mlp.fc2': 'ffn_down',
  'mlp.dense_h_to_4h': 'ffn_up',
  'mlp.dense_4h_to_h': 'ffn_down',
  'block_sparse_moe.gate': 'ffn_gate_inp',
  'mlp.gate': 'ffn_gate_inp',
  'mlp.c_fc': 'ffn_up',
  'mlp.c_proj': 'ffn_down',
};

const EXPERT = /^(model\.layers\.\d+)\.(?:block_sparse_moe|mlp)\.experts\.\d+\.(\w+)\.weight$/;
const EXPERT_LAYERS: Readonly<Record<string, string>> = {
  w1: 'ffn_gate_exps',
  gate_proj: 'ffn_gate_exps',
  w3: 'ffn_up_exps',
  up_proj: 'ffn_up_exps',
  w2: 'ffn_down_exps',
  down_proj: 'ffn_down_exps',
};

/** Experts, which follow each other by their numbers, in one tensor of each layer. */
function joinExperts(tensors: ReadonlyMap<string, RawTensor>): Map<string, RawTensor> {
  const joined = new Map<string, RawTensor>();
  for (const [name, raw] of tensors) {
    const [, layer, linear] = EXPERT.exec(name) ?? [];
    if (layer === undefined) {
      joined.set(name, raw);
      continue;
    }
    const whole = `${layer}.${EXPERT_LAYERS[linear]}.weight`;
    const before = joined.get(whole);
    const [count] = before?.shape ?? [0];
    const bytes = new Uint8Array(Buffer.concat([before?.bytes ?? new Uint8Array(), raw.bytes]));
    joined.set(whole, { ...raw, shape: [count + 1, ...raw.shape], bytes });
  }
  return joined;
}

function ggmlName(name: string, modelType: string): string {
  const suffix = name.slice(name.lastIndexOf('.'));
  const module = name.slice(0, -suffix.length);
  const block = /^(?:model\.layers|transformer\.h|gpt_neox\.layers)\.(\d+)\.(.+)$/.exec(module);
  if (!block) return NAMES[module] + suffix;
  const isGemma2Norm = modelType === 'gemma2' && block[2] === 'post_attention_layernorm';
  const inBlock = isGemma2Norm ? 'post_attention_norm' : (NAMES[block[2]] ?? block[2]);
  return `blk.${block[1]}.${inBlock}${suffix}`;
}

/** Puts groups of equally many numbers in another order: axes 1 and 2 of [a, b, c, …] change places. */
function swapAxes(values: Float32Array, [a, b, c]: readonly [number, number, number]) {
  const group = values.length / (a * b * c);
  const swapped = new Float32Array(values.length);
  for (let i = 0; i < a; i++) {
    for (let j = 0; j < b; j++) {
      for (let k = 0; k < c; k++) {
        const from = ((i * b + j) * c + k) * group;
        swapped.set(values.subarray(from, from + group), ((i * c + k) * b + j) * group);
      }
    }
  }
  return swapped;
}

/** A tensor as the converter would have it. */
function convert(name: string, shape: readonly number[], values: Float32Array, config: Config) {
  const type = config.model_type as string;
  const heads = Number(config.num_attention_heads);
  const keyHeads = Number(config.num_key_value_heads ?? heads);
  const [rows, columns] = shape;
  if (['llama', 'mistral', 'mixtral'].includes(type) && /\.[qk]_proj\./.test(name)) {
    const count = name.includes('.q_proj') ? heads : keyHeads;
    return { shape, values: swapAxes(values, [count, 2, rows / count / 2]) };
  }
  if (type.startsWith('gemma') && name.endsWith('norm.weight')) {
    return { shape, values: values.map((value) => value + 1) };
  }
  if (type === 'gpt2' && /\.(c_attn|c_proj|c_fc)\.weight$/.test(name)) {
    return { shape: [columns, rows], values: swapAxes(values, [1, rows, columns]) };
  }
  if (type === 'gpt_neox' && name.includes('query_key_value')) {
    return { shape, values: swapAxes(values, [1, heads, 3]) };
  }
  return { shape, values };
}

const ARCHITECTURES: Readonly<Record<string, string>> = {
  mistral: 'llama',
  mixtral: 'llama',
  qwen3_moe: 'qwen3moe',
  gpt_neox: 'gptneox',
  phi: 'phi2',
};

/** The keys that the converter writes. */
export function ggufKeys(config: Config): Keys {
  const type = config.model_type as string;
  const arch = ARCHITECTURES[type] ?? type;
  const heads = Number(config.num_attention_heads ?? config.n_head);
  const hidden = Number(config.hidden_size ?? config.n_embd);
  const headSize = Number(config.head_dim ?? hidden / heads);
  const share = Number(config.partial_rotary_factor ?? 1);
  const keys: Keys = [
    ['general.architecture', 'string', arch],
    [`${arch}.context_length`, 'uint32', config.max_position_embeddings ?? config.n_positions],
    [`${arch}.embedding_length`, 'uint32', hidden],
    [`${arch}.block_count`, 'uint32', config.num_hidden_layers ?? config.n_layer],
    [`${arch}.feed_forward_length`, 'uint32', config.intermediate_size ?? 4 * hidden],
    [`${arch}.attention.head_count`, 'uint32', heads],
    [`${arch}.attention.head_count_kv`, 'uint32', config.num_key_value_heads ?? heads],
  ];
  const rms = config.rms_norm_eps;
  if (rms !== undefined) keys.push([`${arch}.attention.layer_norm_rms_epsilon`, 'float32', rms]);
  const epsilon = config.layer_norm_eps ?? config.layer_norm_epsilon;
  if (epsilon !== undefined)
    keys.push([`${arch}.attention.layer_norm_epsilon`, 'float32', epsilon]);
  if (type !== 'gpt2') {
    keys.push([`${arch}.rope.dimension_count`, 'uint32', headSize * share]);
    keys.push([`${arch}.rope.freq_base`, 'float32', config.rope_theta]);
  }
  if (config.head_dim !== undefined) {
    keys.push([`${arch}.attention.key_length`, 'uint32', headSize]);
    keys.push([`${arch}.attention.value_length`, 'uint32', headSize]);
  }
  if (type === 'gemma2') {
    keys.push([`${arch}.attn_logit_softcapping`, 'float32', config.attn_logit_softcapping]);
    keys.push([`${arch}.final_logit_softcapping`, 'float32', config.final_logit_softcapping]);
  }
  if (typeof config.sliding_window === 'number') {
    keys.push([`${arch}.attention.sliding_window`, 'uint32', config.sliding_window]);
  }
  const experts = config.num_experts ?? config.num_local_experts;
  if (experts !== undefined) {
    keys.push([`${arch}.expert_count`, 'uint32', experts]);
    keys.push([`${arch}.expert_used_count`, 'uint32', config.num_experts_per_tok]);
    const width = config.moe_intermediate_size;
    if (width !== undefined) keys.push([`${arch}.expert_feed_forward_length`, 'uint32', width]);
  }
  if (type === 'gpt_neox') {
    keys.push([`${arch}.use_parallel_residual`, 'bool', config.use_parallel_residual]);
  }
  const original = config.original_max_position_embeddings;
  if (original !== undefined) {
    const scale = Number(config.max_position_embeddings) / Number(original);
    const factor = Math.sqrt(1 + Math.log(scale) / Math.log(Number(original)));
    keys.push([`${arch}.rope.scaling.original_context_length`, 'uint32', original]);
    keys.push([`${arch}.rope.scaling.attn_factor`, 'float32', factor]);
  }
  return keys;
}

/** Rotary factors as tensors. */
function factorTensors(config: Config): GgufTensor[] {
  const scaling = config.rope_scaling as Readonly<Record<string, unknown>> | null | undefined;
  const tensor = (name: string, values: readonly number[]): GgufTensor => ({
    name,
    shape: [values.length],
    type: NUMBERS.f32,
    data: new Uint8Array(Float32Array.from(values).buffer),
  });
  if (scaling?.type === 'longrope') {
    return [
      tensor('rope_factors_long.weight', scaling.long_factor as number[]),
      tensor('rope_factors_short.weight', scaling.short_factor as number[]),
    ];
  }
  if (scaling?.rope_type !== 'llama3') return [];
  const number = (key: string) => Number(scaling[key]);
  const size = Number(config.head_dim);
  const original = number('original_max_position_embeddings');
  const [low, high] = [number('low_freq_factor'), number('high_freq_factor')];
  const factors = Array.from({ length: size / 2 }, (_, i) => {
    const wavelength = 2 * Math.PI * Number(config.rope_theta) ** ((2 * i) / size);
    if (wavelength < original / high) return 1;
    if (wavelength > original / low) return number('factor');
    const smooth = (original / wavelength - low) / (high - low);
    return 1 / ((1 - smooth) / number('factor') + smooth);
  });
  return [tensor('rope_freqs.weight', factors)];
}

/** Values in the bytes of a type. */
export function encodeValues(values: Float32Array, type: MatrixType): Uint8Array {
  if (type === 'f32') return new Uint8Array(Float32Array.from(values).buffer);
  if (type === 'bf16') {
    const words = new Uint16Array(new Float32Array(values).buffer);
    return new Uint8Array(words.filter((_, i) => i % 2 === 1).buffer);
  }
  if (type === 'f16') {
    const bytes = new Uint8Array(values.length * 2);
    values.forEach((value, i) => storeF16(bytes, 2 * i, value));
    return bytes;
  }
  return quantizeByReference(GGML_TYPES[type], values).packed;
}

/**
 * The GGUF file that a converter makes of a checkpoint.
 * @param type of matrices, all or each by its name in the checkpoint
 * @param moreKeys those of a tokenizer
 */
export function makeGguf(...input: GgufInput): Buffer {
  const { keys, list } = convertAll(...input);
  return encodeGguf(keys, list);
}

/**
 * The same in parts, as llama.cpp's `gguf-split` makes them: all keys in the first.
 * @param parts how many, with as many tensors each, or one more
 */
export function makeSplitGguf(parts: number, ...input: GgufInput): Buffer[] {
  const { keys, list } = convertAll(...input);
  return Array.from({ length: parts }, (_, part) => {
    const [begin, end] = [part, part + 1].map((at) => Math.ceil((at * list.length) / parts));
    const splitKeys: Keys = [
      ['split.no', 'uint16', part],
      ['split.count', 'uint16', parts],
      ['split.tensors.count', 'int32', list.length],
    ];
    return encodeGguf([...(part === 0 ? keys : []), ...splitKeys], list.slice(begin, end));
  });
}

type GgufInput = [
  tensors: ReadonlyMap<string, RawTensor>,
  config: Config,
  type?: MatrixType | ((name: string) => MatrixType),
  moreKeys?: GgufKeys,
];

function convertAll(...[tensors, config, type = 'f32', moreKeys = []]: GgufInput) {
  const modelType = config.model_type as string;
  const list = [...joinExperts(tensors)]
    .filter(([name]) => !/inv_freq|masked_bias|\.(attn|attention)\.bias$/.test(name))
    .map(([name, raw]): GgufTensor => {
      const { shape, values } = convert(name, raw.shape, floatValues(raw), config);
      const isMatrix = shape.length > 1 && !name.includes('wpe');
      const ofName = typeof type === 'string' ? type : type(name);
      const kind = isMatrix ? ofName : 'f32';
      const number = NUMBERS[kind as keyof typeof NUMBERS] ?? BLOCKS[kind as GgmlTypeName];
      return {
        name: ggmlName(name, modelType),
        shape,
        type: number,
        data: encodeValues(values, kind),
      };
    });
  return { keys: [...ggufKeys(config), ...moreKeys], list: [...list, ...factorTensors(config)] };
}

/** Values of an F32, F16 or BF16 tensor. */
export function floatValues(raw: RawTensor): Float32Array {
  if (raw.dtype === 'F16') {
    return Float32Array.from(new Uint16Array(raw.bytes.buffer), f16FromBits);
  }
  if (raw.dtype !== 'BF16') return floatsOf(raw);
  const words = new Uint16Array(raw.bytes.buffer);
  return new Float32Array(Uint32Array.from(words, (word) => word << 16).buffer);
}
