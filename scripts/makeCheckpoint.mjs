// Writes a sharded BF16 checkpoint with the shapes of a LLaMA of 1.1 billion parameters (TinyLlama),
// of 70 (give --layers: the whole is 140 GB) or of 24 million (a model of stories, hidden size 288):
//   node scripts/makeCheckpoint.mjs FOLDER [--shape 70b|1.1b|24m] [--layers N]
// Weights are normal with the spread of trained ones; they are drawn once and reused with an offset,
// so that writing is as fast as the disk. For benchmarks: it knows nothing and says nothing.
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const SHAPES = {
  '1.1b': { hidden: 2048, mlp: 5632, heads: 32, keyValueHeads: 4, layers: 22, positions: 2048 },
  '70b': { hidden: 8192, mlp: 28672, heads: 64, keyValueHeads: 8, layers: 80, positions: 4096 },
  '24m': { hidden: 288, mlp: 768, heads: 6, keyValueHeads: 6, layers: 6, positions: 256 },
};
const VOCABULARY = 32000;
const LAYERS_PER_SHARD = 8;
const POOL = 1 << 20;

/** Name and shape. @typedef {[string, number[]]} Tensor */

/**
 * Normal BF16 codes, reproducible; one in 4096 is an outlier of eight times the spread.
 * @param {number} spread standard deviation
 */
function normalPool(spread) {
  const words = new Uint32Array(1);
  const floats = new Float32Array(words.buffer);
  let state = 20261122;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 1) / 4294967297;
  };
  return Uint16Array.from({ length: POOL }, (_, i) => {
    const normal = Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
    floats[0] = normal * spread * (i % 4096 === 4095 ? 8 : 1);
    return (words[0] + 0x7fff + ((words[0] >>> 16) & 1)) >>> 16;
  });
}

/** @typedef {typeof SHAPES['1.1b']} Shape */

/** @param {Shape} shape @param {number} layer @returns {Tensor[]} */
function layerTensors({ hidden, mlp, heads, keyValueHeads }, layer) {
  const prefix = `model.layers.${layer}.`;
  const keyValue = (hidden / heads) * keyValueHeads;
  return [
    [`${prefix}input_layernorm.weight`, [hidden]],
    [`${prefix}mlp.down_proj.weight`, [hidden, mlp]],
    [`${prefix}mlp.gate_proj.weight`, [mlp, hidden]],
    [`${prefix}mlp.up_proj.weight`, [mlp, hidden]],
    [`${prefix}post_attention_layernorm.weight`, [hidden]],
    [`${prefix}self_attn.k_proj.weight`, [keyValue, hidden]],
    [`${prefix}self_attn.o_proj.weight`, [hidden, hidden]],
    [`${prefix}self_attn.q_proj.weight`, [hidden, hidden]],
    [`${prefix}self_attn.v_proj.weight`, [keyValue, hidden]],
  ];
}

/** Tensors by shard: the embedding, layers in runs, the rest. @param {Shape} shape */
function shards(shape) {
  /** @type {Tensor[][]} */
  const list = [[['model.embed_tokens.weight', [VOCABULARY, shape.hidden]]]];
  for (let layer = 0; layer < shape.layers; layer++) {
    if (layer % LAYERS_PER_SHARD === 0) list.push([]);
    list[list.length - 1].push(...layerTensors(shape, layer));
  }
  list.push([
    ['lm_head.weight', [VOCABULARY, shape.hidden]],
    ['model.norm.weight', [shape.hidden]],
  ]);
  return list;
}

/** @param {number[]} shape */
const elements = (shape) => shape.reduce((product, size) => product * size, 1);

/**
 * Writes one file, from `ones` for norms and from `pool` for the rest.
 * @param {string} path
 * @param {Tensor[]} tensors
 * @param {Uint16Array} pool
 * @param {Uint16Array} ones
 * @returns {number} bytes of weights
 */
function writeShard(path, tensors, pool, ones) {
  let offset = 0;
  /** @type {Record<string, unknown>} */
  const header = { __metadata__: { format: 'pt' } };
  for (const [name, shape] of tensors) {
    const bytes = elements(shape) * 2;
    header[name] = { dtype: 'BF16', shape, data_offsets: [offset, offset + bytes] };
    offset += bytes;
  }
  let text = JSON.stringify(header);
  text += ' '.repeat((8 - (text.length % 8)) % 8);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  const file = openSync(path, 'w');
  writeSync(file, Buffer.concat([length, Buffer.from(text)]));
  let start = 0;
  for (const [name, shape] of tensors) {
    const source = name.includes('norm') ? ones : pool;
    for (let left = elements(shape); left > 0;) {
      const count = Math.min(left, POOL - start);
      writeSync(file, new Uint8Array(source.buffer, start * 2, count * 2));
      left -= count;
      start = (start + count + 977) % POOL;
    }
  }
  closeSync(file);
  return offset;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { shape: { type: 'string', default: '1.1b' }, layers: { type: 'string' } },
});
const known = Object.entries(SHAPES).find(([name]) => name === values.shape)?.[1];
if (positionals.length !== 1 || !known) {
  console.error(
    'Usage: node scripts/makeCheckpoint.mjs FOLDER [--shape 70b|1.1b|24m] [--layers N]',
  );
  process.exit(2);
}
const [folder] = positionals;
const shape = { ...known, layers: Number(values.layers ?? known.layers) };
mkdirSync(folder, { recursive: true });
const list = shards(shape);
const pool = normalPool(0.02);
const ones = new Uint16Array(POOL).fill(0x3f80);
/** @type {Record<string, string>} */
const weightMap = {};
let totalSize = 0;
list.forEach((tensors, index) => {
  const number = (/** @type {number} */ n) => String(n).padStart(5, '0');
  const name = `model-${number(index + 1)}-of-${number(list.length)}.safetensors`;
  totalSize += writeShard(join(folder, name), tensors, pool, ones);
  for (const [tensor] of tensors) weightMap[tensor] = name;
});
const index = { metadata: { total_size: totalSize }, weight_map: weightMap };
writeFileSync(join(folder, 'model.safetensors.index.json'), JSON.stringify(index, null, 2));
const config = {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  hidden_size: shape.hidden,
  intermediate_size: shape.mlp,
  num_hidden_layers: shape.layers,
  num_attention_heads: shape.heads,
  num_key_value_heads: shape.keyValueHeads,
  vocab_size: VOCABULARY,
  max_position_embeddings: shape.positions,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  tie_word_embeddings: false,
  torch_dtype: 'bfloat16',
};
writeFileSync(join(folder, 'config.json'), JSON.stringify(config, null, 2));
console.log(`${folder}: ${totalSize / 2} parameters in ${list.length} shards`);
