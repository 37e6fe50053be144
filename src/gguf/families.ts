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
  /** Present where feed-forward modules are mixtures of experts. */
  readonly experts?: ExpertNames;
  /** What converting to GGUF did to tensors, undone while they are read. */
  readonly transform?: (module: string, heads: Heads) => Transform | undefined;
}

/** Names of a mixture of experts, within its block. */
export interface ExpertNames {
  /** In front of an expert's number: "mlp.experts.". */
  readonly prefix: string;
  /** An expert's linear layers, by llama.cpp's names of the tensor of all. */
  readonly layers: ReadonlyMap<string, string>;
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

/** @param router its module in a block; experts stand in "experts." beside it */
function withExperts(
  family: Family,
  modelType: string,
  mixture: string,
  [gate, up, down]: readonly [gate: string, up: string, down: string],
): Family {
  return {
    ...family,
    modelType,
    blockModules: new Map([...family.blockModules, ['ffn_gate_inp', `${mixture}.gate`]]),
    experts: {
      prefix: `${mixture}.experts.`,
      layers: new Map([
        ['ffn_gate', gate],
        ['ffn_up', up],
        ['ffn_down', down],
      ]),
    },
  };
}

/** Mixtral goes by the name of the architecture that it extends. */
const mixtral = withExperts(llama, 'mixtral', 'block_sparse_moe', ['w1', 'w3', 'w2']);

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
  withExperts(likeLlama('qwen3moe'), 'qwen3_moe', 'mlp', ['gate_proj', 'up_proj', 'down_proj']),
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

/**
 * The family of an architecture; undefined where its names are not known.
 * @param experts how many the file says there are
 */
export function findFamily(architecture: unknown, experts = 0): Family | undefined {
  if (experts > 0 && architecture === llama.architecture) return mixtral;
  return typeof architecture === 'string' ? byArchitecture.get(architecture) : undefined;
}

/** A tensor's name in the model's definition, and what was done to it. */
export interface Translated {
  readonly name: string;
  readonly transform?: Transform;
  /** Present where it holds the layers of all experts: the name of one's. */
  readonly ofExpert?: (expert: number) => string;
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
  if (numberEnd < 0 || !/^\d{1,9}$/.test(number)) return { name };
  const ofExpert = nameExperts(inBlock, family, `${family.blocks}${number}.`, suffix);
  if (ofExpert) return { name, ...ofExpert };
  const known = family.blockModules.get(inBlock);
  if (known === undefined) return { name };
  return {
    name: `${family.blocks}${number}.${known}${suffix}`,
    transform: family.transform?.(inBlock, heads),
  };
}

/** What the tensor of all experts ends in. */
const OF_ALL = '_exps';

/** "ffn_gate_exps" of all experts together, or, in older files, "ffn_gate.7" of one. */
function nameExperts(
  module: string,
  { experts }: Family,
  block: string,
  suffix: string,
): Partial<Translated> | undefined {
  if (!experts) return undefined;
  const nameOf = (layer: string, expert: string | number) =>
    `${block}${experts.prefix}${expert}.${layer}${suffix}`;
  if (module.endsWith(OF_ALL)) {
    const layer = experts.layers.get(module.slice(0, -OF_ALL.length));
    return layer === undefined ? undefined : { ofExpert: (expert) => nameOf(layer, expert) };
  }
  const dot = module.indexOf('.');
  const layer = dot < 0 ? undefined : experts.layers.get(module.slice(0, dot));
  const expert = module.slice(dot + 1);
  if (layer === undefined || !/^\d{1,9}$/.test(expert)) return undefined;
  return { name: nameOf(layer, Number(expert)) };
}

/** llama.cpp's names of linear maps of blocks, by the definition's: families do not contradict each other there. */
const LINEAR_MODULES: ReadonlyMap<string, string> = new Map(
  [...FAMILIES, mixtral].flatMap(({ blockModules }) =>
    [...blockModules]
      .filter(([ggml]) => !ggml.endsWith('norm'))
      .map(([ggml, module]) => [module, ggml] as const),
  ),
);

/** In front of a block's number, behind whatever a model's definition has in front of that: "layers". */
const BLOCK_LISTS: ReadonlySet<string> = new Set(
  FAMILIES.map(({ blocks }) => blocks.split('.').at(-2)!),
);

/**
 * llama.cpp's name of the weight of a linear map of a block: "blk.0.attn_q.weight". The same for all
 * architectures; undefined where none of those known here has such a module.
 * @param name in the model's definition, such as "model.layers.0.self_attn.q_proj.weight"
 */
export function storedNameOfLinear(name: string): string | undefined {
  const parts = name.split('.');
  const list = parts.findIndex(
    (part, i) => BLOCK_LISTS.has(part) && /^\d{1,9}$/.test(parts[i + 1]),
  );
  if (list < 0 || parts.at(-1) !== 'weight') return undefined;
  const module = LINEAR_MODULES.get(parts.slice(list + 2, -1).join('.'));
  return module && `${BLOCK}${parts[list + 1]}.${module}.weight`;
}
