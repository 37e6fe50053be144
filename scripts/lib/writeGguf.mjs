import fs from 'node:fs';

/** Types of metadata and tensors, as the GGUF specification numbers them. */
const TYPE = { uint16: 2, uint32: 4, int32: 5, float32: 6, string: 8, array: 9 };
const F32 = 0;
const ALIGNMENT = 32;
/** Kinds of tokens: ordinary, unknown, control, a byte. */
const TOKEN = { normal: 1, unknown: 2, control: 3, byte: 6 };
const FIRST_BYTE = 3;
const POOL = 1 << 20;

/** @param {number} value */
const uint32 = (value) => Buffer.from(Uint32Array.of(value).buffer);
/** @param {number} value */
const float32 = (value) => Buffer.from(Float32Array.of(value).buffer);
/** @param {number} value */
const uint64 = (value) => Buffer.from(BigUint64Array.of(BigInt(value)).buffer);
/** @param {string} text */
const string = (text) => Buffer.concat([uint64(Buffer.byteLength(text)), Buffer.from(text)]);
/** @param {number} type @param {readonly Buffer[]} items */
const array = (type, items) => Buffer.concat([uint32(type), uint64(items.length), ...items]);

/**
 * What a configuration of a LLaMA says of its shape.
 * @typedef {object} LlamaConfig
 * @property {number} hidden_size
 * @property {number} intermediate_size
 * @property {number} num_attention_heads
 * @property {number} num_key_value_heads
 * @property {number} num_hidden_layers
 * @property {number} max_position_embeddings
 * @property {number} vocab_size
 * @property {number} rms_norm_eps
 */

/** @param {LlamaConfig} config @returns {Buffer[]} */
function metadata(config) {
  const { hidden_size: hidden, num_attention_heads: heads, vocab_size: size } = config;
  const byteOf = (/** @type {number} */ id) => id - FIRST_BYTE;
  const isByte = (/** @type {number} */ id) => id >= FIRST_BYTE && byteOf(id) < 256;
  const ids = Array.from({ length: size }, (_, id) => id);
  const texts = ids.map((id) => {
    if (id < FIRST_BYTE) return ['<unk>', '<s>', '</s>'][id];
    return isByte(id) ? `<0x${byteOf(id).toString(16).toUpperCase().padStart(2, '0')}>` : `t${id}`;
  });
  const kinds = ids.map((id) => {
    if (id === 0) return TOKEN.unknown;
    if (id < FIRST_BYTE) return TOKEN.control;
    return isByte(id) ? TOKEN.byte : TOKEN.normal;
  });
  /** @type {[string, number, Buffer][]} */
  const entries = [
    ['general.architecture', TYPE.string, string('llama')],
    ['llama.context_length', TYPE.uint32, uint32(config.max_position_embeddings)],
    ['llama.embedding_length', TYPE.uint32, uint32(hidden)],
    ['llama.block_count', TYPE.uint32, uint32(config.num_hidden_layers)],
    ['llama.feed_forward_length', TYPE.uint32, uint32(config.intermediate_size)],
    ['llama.rope.dimension_count', TYPE.uint32, uint32(hidden / heads)],
    ['llama.attention.head_count', TYPE.uint32, uint32(heads)],
    ['llama.attention.head_count_kv', TYPE.uint32, uint32(config.num_key_value_heads)],
    ['llama.attention.layer_norm_rms_epsilon', TYPE.float32, float32(config.rms_norm_eps)],
    ['tokenizer.ggml.model', TYPE.string, string('llama')],
    ['tokenizer.ggml.tokens', TYPE.array, array(TYPE.string, texts.map(string))],
    [
      'tokenizer.ggml.scores',
      TYPE.array,
      array(
        TYPE.float32,
        ids.map(() => float32(0)),
      ),
    ],
    ['tokenizer.ggml.token_type', TYPE.array, array(TYPE.int32, kinds.map(uint32))],
  ];
  return entries.map(([name, type, value]) => Buffer.concat([string(name), uint32(type), value]));
}

/** Names and shapes, innermost dimension first. @param {LlamaConfig} config */
function tensors(config) {
  const { hidden_size: hidden, intermediate_size: inner, vocab_size: vocabulary } = config;
  const keyValue = (hidden / config.num_attention_heads) * config.num_key_value_heads;
  /** @type {[string, number[]][]} */
  const list = [
    ['token_embd.weight', [hidden, vocabulary]],
    ['output_norm.weight', [hidden]],
    ['output.weight', [hidden, vocabulary]],
  ];
  for (let block = 0; block < config.num_hidden_layers; block++) {
    /** @type {[string, number[]][]} */
    const own = [
      ['attn_norm', [hidden]],
      ['attn_q', [hidden, hidden]],
      ['attn_k', [hidden, keyValue]],
      ['attn_v', [hidden, keyValue]],
      ['attn_output', [hidden, hidden]],
      ['ffn_norm', [hidden]],
      ['ffn_gate', [hidden, inner]],
      ['ffn_up', [hidden, inner]],
      ['ffn_down', [inner, hidden]],
    ];
    list.push(
      ...own.map(
        ([name, shape]) =>
          /** @type {[string, number[]]} */ ([`blk.${block}.${name}.weight`, shape]),
      ),
    );
  }
  return list;
}

/** How values are written, by their type. @type {Record<string, (value: any) => Buffer>} */
const VALUES = {
  uint16: (value) =>
    Buffer.concat([uint32(TYPE.uint16), Buffer.from(Uint16Array.of(value).buffer)]),
  int32: (value) => Buffer.concat([uint32(TYPE.int32), uint32(value)]),
  uint32: (value) => Buffer.concat([uint32(TYPE.uint32), uint32(value)]),
  float32: (value) => Buffer.concat([uint32(TYPE.float32), float32(value)]),
  bool: (value) => Buffer.concat([uint32(7), Buffer.from([value ? 1 : 0])]),
  string: (value) => Buffer.concat([uint32(TYPE.string), string(value)]),
  strings: (value) => Buffer.concat([uint32(TYPE.array), array(TYPE.string, value.map(string))]),
  int32s: (value) => Buffer.concat([uint32(TYPE.array), array(TYPE.int32, value.map(uint32))]),
  float32s: (value) => Buffer.concat([uint32(TYPE.array), array(TYPE.float32, value.map(float32))]),
};

/**
 * A GGUF file.
 * @param {readonly (readonly [key: string, type: string, value: unknown])[]} keys
 * @param {readonly { name: string, shape: readonly number[], type: number, data: Uint8Array }[]} list
 *   tensors; shapes outermost dimension first, types as the format numbers them
 * @returns {Buffer}
 */
export function encodeGguf(keys, list) {
  const pad = (/** @type {number} */ bytes) =>
    Buffer.alloc((ALIGNMENT - (bytes % ALIGNMENT)) % ALIGNMENT);
  let offset = 0;
  const infos = list.map(({ name, shape, type, data }) => {
    const dimensions = [...shape].reverse().map(uint64);
    const place = [uint32(shape.length), ...dimensions, uint32(type), uint64(offset)];
    offset += data.length + pad(data.length).length;
    return Buffer.concat([string(name), ...place]);
  });
  const head = Buffer.concat([
    Buffer.from('GGUF'),
    uint32(3),
    uint64(list.length),
    uint64(keys.length),
    ...keys.map(([key, type, value]) => Buffer.concat([string(key), VALUES[type](value)])),
    ...infos,
  ]);
  const data = list.map(({ data }) => Buffer.concat([data, pad(data.length)]));
  return Buffer.concat([head, pad(head.length), ...data]);
}

/**
 * Writes an F32 GGUF file of a LLaMA's shape with random weights: it is for timings.
 * @param {string} path
 * @param {LlamaConfig} config
 */
export function writeRandomGguf(path, config) {
  const list = tensors(config);
  const bytesOf = (/** @type {number[]} */ shape) => 4 * shape.reduce((all, size) => all * size, 1);
  let offset = 0;
  const places = list.map(([name, shape]) => {
    const place = [
      string(name),
      uint32(shape.length),
      ...shape.map(uint64),
      uint32(F32),
      uint64(offset),
    ];
    offset += Math.ceil(bytesOf(shape) / ALIGNMENT) * ALIGNMENT;
    return Buffer.concat(place);
  });
  const pairs = metadata(config);
  const version = uint32(3);
  const counts = [uint64(list.length), uint64(pairs.length)];
  const head = Buffer.concat([Buffer.from('GGUF'), version, ...counts, ...pairs, ...places]);
  let state = 1;
  const uniform = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32 - 0.5;
  const random = Buffer.from(Float32Array.from({ length: POOL }, () => uniform() * 0.07).buffer);
  const ones = Buffer.from(new Float32Array(config.hidden_size).fill(1).buffer);
  const file = fs.openSync(path, 'w');
  const pad = (/** @type {number} */ bytes) =>
    Buffer.alloc((ALIGNMENT - (bytes % ALIGNMENT)) % ALIGNMENT);
  fs.writeSync(file, Buffer.concat([head, pad(head.length)]));
  for (const [, shape] of list) {
    const source = shape.length === 1 ? ones : random;
    for (let left = bytesOf(shape); left > 0; left -= source.length) {
      fs.writeSync(file, source, 0, Math.min(left, source.length));
    }
    fs.writeSync(file, pad(bytesOf(shape)));
  }
  fs.closeSync(file);
}
