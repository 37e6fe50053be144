/** How llama.cpp's names of one architecture's tensors translate into those of the model's definition. */
export interface Family {
  /** `general.architecture`. */
  readonly architecture: string;
  /** `model_type` of a `config.json`. */
  readonly modelType: string;
  /** Modules outside the blocks, by llama.cpp's names. */
  readonly modules: ReadonlyMap<string, string>;
  /** In front of a block's number: "model.layers.". */
  readonly blocks: string;
  /** Modules of a block, by llama.cpp's names. */
  readonly blockModules: ReadonlyMap<string, string>;
  /** What converting to GGUF did to tensors, undone while they are read. */
  readonly transform?: (module: string, heads: Heads) => Transform | undefined;
}

/** Numbers of heads; 0 where the file does not say them. */
export interface Heads {
  readonly queries: number;
  readonly keys: number;
}

/** What converting to GGUF did to a tensor. Parameters of the layout that undoes it. */
export type Transform =
  /** Of each head, the halves that turn together were interleaved: rows of [2, half] became [half, 2]. */
  | { readonly rowOrder: 'interleaved'; readonly heads: number }
  /** Rows of [heads, query-key-value, …] became [query-key-value, heads, …]. */
  | { readonly rowOrder: 'fused'; readonly heads: number }
  /** A number was added to each weight. */
  | { readonly added: number };

type Names = readonly (readonly [ggml: string, module: string])[];

const LLAMA_MODULES: Names = [
  ['token_embd', 'model.embed_tokens'],
  ['output_norm', 'model.norm'],
  ['output', 'lm_head'],
];

const LLAMA_BLOCK: Names = [
  ['attn_norm', 'input_layernorm'],
  ['attn_q', 'self_attn.q_proj'],
  ['attn_k', 'self_attn.k_proj'],
  ['attn_v', 'self_attn.v_proj'],
  ['attn_output', 'self_attn.o_proj'],
  ['attn_q_norm', 'self_attn.q_norm'],
  ['attn_k_norm', 'self_attn.k_norm'],
  ['ffn_norm', 'post_attention_layernorm'],
  ['ffn_gate', 'mlp.gate_proj'],
  ['ffn_up', 'mlp.up_proj'],
  ['ffn_down', 'mlp.down_proj'],
];

/** @param own names that differ from those of Llama */
function likeLlama(
  architecture: string,
  { own = [], transform }: { own?: Names; transform?: Family['transform'] } = {},
): Family {
  return {
    architecture,
    modelType: architecture,
    modules: new Map(LLAMA_MODULES),
    blocks: 'model.layers.',
    blockModules: new Map([...LLAMA_BLOCK, ...own]),
    transform,
  };
}

const llama = likeLlama('llama', {
  transform(module, { queries, keys }) {
    if (module === 'attn_q') return { rowOrder: 'interleaved', heads: queries };
    return module === 'attn_k' ? { rowOrder: 'interleaved', heads: keys } : undefined;
  },
});

/** The definition adds 1 to the weights of its norms, llama.cpp has them with the 1. */
const gemmaTransform: Family['transform'] = (module) =>
  module.endsWith('norm') ? { added: 1 } : undefined;

const gpt2: Family = {
  architecture: 'gpt2',
  modelType: 'gpt2',
  modules: new Map([
    ['token_embd', 'transformer.wte'],
    ['position_embd', 'transformer.wpe'],
    ['output_norm', 'transformer.ln_f'],
    ['output', 'lm_head'],
  ]),
  blocks: 'transformer.h.',
  blockModules: new Map([
    ['attn_norm', 'ln_1'],
    ['attn_qkv', 'attn.c_attn'],
    ['attn_output', 'attn.c_proj'],
    ['ffn_norm', 'ln_2'],
    ['ffn_up', 'mlp.c_fc'],
    ['ffn_down', 'mlp.c_proj'],
  ]),
};

const gptNeox: Family = {
  architecture: 'gptneox',
  modelType: 'gpt_neox',
  modules: new Map([
    ['token_embd', 'gpt_neox.embed_in'],
    ['output_norm', 'gpt_neox.final_layer_norm'],
    ['output', 'embed_out'],
  ]),
  blocks: 'gpt_neox.layers.',
  blockModules: new Map([
    ['attn_norm', 'input_layernorm'],
    ['attn_qkv', 'attention.query_key_value'],
    ['attn_output', 'attention.dense'],
    ['ffn_norm', 'post_attention_layernorm'],
    ['ffn_up', 'mlp.dense_h_to_4h'],
    ['ffn_down', 'mlp.dense_4h_to_h'],
  ]),
  transform: (module, { queries }) =>
    module === 'attn_qkv' ? { rowOrder: 'fused', heads: queries } : undefined,
};

const phi2: Family = {
  ...likeLlama('phi2', {
    own: [
      ['attn_output', 'self_attn.dense'],
      ['ffn_up', 'mlp.fc1'],
      ['ffn_down', 'mlp.fc2'],
    ],
  }),
  modelType: 'phi',
  modules: new Map([...LLAMA_MODULES, ['output_norm', 'model.final_layernorm']]),
};

const FAMILIES: readonly Family[] = [
  llama,
  likeLlama('qwen2'),
  likeLlama('qwen3'),
  likeLlama('gemma', { transform: gemmaTransform }),
  likeLlama('gemma2', {
    own: [
      ['post_attention_norm', 'post_attention_layernorm'],
      ['ffn_norm', 'pre_feedforward_layernorm'],
      ['post_ffw_norm', 'post_feedforward_layernorm'],
    ],
    transform: gemmaTransform,
  }),
  likeLlama('phi3', {
    own: [
      ['attn_qkv', 'self_attn.qkv_proj'],
      ['ffn_up', 'mlp.gate_up_proj'],
    ],
  }),
  phi2,
  gpt2,
  gptNeox,
];

const byArchitecture = new Map(FAMILIES.map((family) => [family.architecture, family]));

/** The family of an architecture; undefined where its names are not known. */
export function findFamily(architecture: unknown): Family | undefined {
  return typeof architecture === 'string' ? byArchitecture.get(architecture) : undefined;
}

/** A tensor's name in the model's definition, and what was done to it. */
export interface Translated {
  readonly name: string;
  readonly transform?: Transform;
}

const BLOCK = 'blk.';

/** Translates a tensor's name; one that the family does not know stays as it is. */
export function translateName(name: string, family: Family, heads: Heads): Translated {
  const lastDot = name.lastIndexOf('.');
  const module = name.slice(0, lastDot);
  const suffix = name.slice(lastDot);
  if (lastDot < 0) return { name };
  if (!module.startsWith(BLOCK)) {
    const known = family.modules.get(module);
    if (known === undefined) return { name };
    return { name: known + suffix, transform: family.transform?.(module, heads) };
  }
  const numberEnd = module.indexOf('.', BLOCK.length);
  const number = module.slice(BLOCK.length, numberEnd);
  const inBlock = module.slice(numberEnd + 1);
  const known = numberEnd < 0 ? undefined : family.blockModules.get(inBlock);
  if (known === undefined || !/^\d{1,9}$/.test(number)) return { name };
  return {
    name: `${family.blocks}${number}.${known}${suffix}`,
    transform: family.transform?.(inBlock, heads),
  };
}
