import { findFamily, type Heads } from './families.js';
import type { HeaderValue, KeyValues } from './keyValues.js';

type Fields = Record<string, unknown>;

/** What the configuration is made of. */
export interface ConfigurationInput {
  readonly keyValues: KeyValues;
  /** Shape of a tensor by its name in the file, outermost dimension first; undefined where it is not there. */
  readonly shapeOf: (name: string) => readonly number[] | undefined;
  /** Factors of rotary frequencies, by the name of the tensor that holds them. */
  readonly factors: ReadonlyMap<string, readonly number[]>;
}

/** Tensors that are read with the header: they are a part of the configuration. */
export const FACTOR_TENSORS: readonly string[] = [
  'rope_freqs.weight',
  'rope_factors_long.weight',
  'rope_factors_short.weight',
];

/** Reads keys of the file's architecture: `llama.block_count`. */
export class ArchitectureKeys {
  readonly architecture: string;

  constructor(private readonly keyValues: KeyValues) {
    const value = keyValues.get('general.architecture');
    this.architecture = typeof value === 'string' ? value : '';
  }

  /** A value as `config.json` could have it; undefined where it is missing. */
  get(key: string): unknown {
    return valueOf(this.keyValues.get(`${this.architecture}.${key}`));
  }

  number(key: string): number | undefined {
    const value = this.get(key);
    return typeof value === 'number' ? value : undefined;
  }

  /** How many experts a layer has; 0 where it has none. */
  get experts(): number {
    return this.number('expert_count') ?? 0;
  }

  /** Numbers of heads; 0 where they are missing or differ between layers. */
  get heads(): Heads {
    const queries = this.number('attention.head_count') ?? 0;
    return { queries, keys: this.number('attention.head_count_kv') ?? queries };
  }
}

function valueOf(value: HeaderValue | undefined): unknown {
  if (typeof value !== 'object') return value;
  const { items } = value;
  // Some writers repeat one number for each layer.
  return items && items.length > 0 && items.every((item) => item === items[0]) ? items[0] : items;
}

/**
 * What a file says of its model, in the fields of `config.json`. An architecture that is not known here
 * gives its name alone; a variant of a known one that its plan has no place for goes by another name, so
 * that it is refused and not run as what it is not.
 */
export function deriveConfiguration(input: ConfigurationInput): Readonly<Fields> {
  const keys = new ArchitectureKeys(input.keyValues);
  const family = findFamily(keys.architecture, keys.experts);
  if (!family) return keys.architecture === '' ? {} : { model_type: keys.architecture };
  const { architecture, experts } = keys;
  const hidden = keys.number('embedding_length');
  const { queries } = keys.heads;
  const usual = hidden !== undefined && queries > 0 ? hidden / queries : undefined;
  const headSize = keys.number('attention.key_length') ?? usual;
  const turning = keys.number('rope.dimension_count') ?? headSize;
  const isPartial = turning !== headSize && !PARTIAL.has(architecture);
  let modelType = family.modelType;
  if (experts > 0 && !family.experts) modelType += ` with ${experts} experts`;
  else if (isPartial) modelType += ` that turns ${turning} of ${headSize} elements per head`;
  const fields: Fields = {
    model_type: modelType,
    vocab_size: input.shapeOf('token_embd.weight')?.[0],
    tie_word_embeddings: input.shapeOf('output.weight') === undefined,
    ...(architecture === 'gpt2' ? gpt2Fields(keys) : usualFields(keys, headSize)),
    ...OWN_FIELDS.get(architecture)?.(keys, input, { headSize, turning }),
    ...(family.experts && expertFields(keys, input)),
    ...rotaryFields(keys, input),
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

/** Architectures whose heads may turn in part. */
const PARTIAL: ReadonlySet<string> = new Set(['phi2', 'phi3', 'gptneox', 'gpt2']);

function usualFields(keys: ArchitectureKeys, headSize: number | undefined): Fields {
  return {
    hidden_size: keys.get('embedding_length'),
    intermediate_size: keys.get('feed_forward_length'),
    num_hidden_layers: keys.get('block_count'),
    num_attention_heads: keys.get('attention.head_count'),
    num_key_value_heads: keys.get('attention.head_count_kv') ?? keys.get('attention.head_count'),
    head_dim: headSize,
    max_position_embeddings: keys.get('context_length'),
    rms_norm_eps: keys.get('attention.layer_norm_rms_epsilon'),
    layer_norm_eps: keys.get('attention.layer_norm_epsilon'),
  };
}

function gpt2Fields(keys: ArchitectureKeys): Fields {
  return {
    n_embd: keys.get('embedding_length'),
    n_inner: keys.get('feed_forward_length'),
    n_layer: keys.get('block_count'),
    n_head: keys.get('attention.head_count'),
    n_positions: keys.get('context_length'),
    layer_norm_epsilon: keys.get('attention.layer_norm_epsilon'),
    activation_function: 'gelu_new',
  };
}

/** No model has more layers. */
const MOST_LAYERS = 4096;

/** llama.cpp has the weights of the chosen experts add up to 1 in all families that are known here. */
function expertFields(keys: ArchitectureKeys, { shapeOf }: ConfigurationInput): Fields {
  const layers = Array.from({ length: Math.min(keys.number('block_count') ?? 0, MOST_LAYERS) });
  return {
    num_experts: keys.experts,
    num_experts_per_tok: keys.get('expert_used_count'),
    moe_intermediate_size: keys.get('expert_feed_forward_length'),
    norm_topk_prob: true,
    mlp_only_layers: layers.flatMap((_, layer) =>
      shapeOf(`blk.${layer}.ffn_gate_inp.weight`) === undefined ? [layer] : [],
    ),
  };
}

interface HeadSizes {
  readonly headSize?: number;
  /** Elements of a head that turn with the position. */
  readonly turning?: number;
}

/** The share of a head that turns; times the head's size it must give the whole number again. */
function shareOf({ headSize, turning }: HeadSizes): number | undefined {
  if (headSize === undefined || turning === undefined) return undefined;
  return turning === headSize ? 1 : (turning + 0.25) / headSize;
}

type OwnFields = (keys: ArchitectureKeys, input: ConfigurationInput, sizes: HeadSizes) => Fields;

/** llama.cpp scales the attention of the 46 layers of Gemma 2 27B by another size than that of its heads. */
const GEMMA2_27B_LAYERS = 46;

/** Fields that an architecture has beside the usual ones. */
const OWN_FIELDS: ReadonlyMap<string, OwnFields> = new Map<string, OwnFields>([
  [
    'llama',
    (_, { shapeOf }) => ({
      attention_bias: shapeOf('blk.0.attn_q.bias') !== undefined,
      mlp_bias: shapeOf('blk.0.ffn_gate.bias') !== undefined,
    }),
  ],
  ['qwen3', (_, { shapeOf }) => ({ attention_bias: shapeOf('blk.0.attn_q.bias') !== undefined })],
  ['gemma', () => ({ hidden_activation: 'gelu_pytorch_tanh' })],
  [
    'gemma2',
    (keys, _, { headSize }) => {
      const { queries } = keys.heads;
      const hidden = keys.number('embedding_length') ?? 0;
      const isLarge = keys.number('block_count') === GEMMA2_27B_LAYERS && queries > 0;
      return {
        hidden_activation: 'gelu_pytorch_tanh',
        attn_logit_softcapping: keys.get('attn_logit_softcapping'),
        final_logit_softcapping: keys.get('final_logit_softcapping'),
        sliding_window: keys.get('attention.sliding_window'),
        query_pre_attn_scalar: isLarge ? hidden / queries : headSize,
      };
    },
  ],
  [
    'phi3',
    (keys, _, sizes) => ({
      partial_rotary_factor: shareOf(sizes),
      sliding_window: keys.number('attention.sliding_window') || undefined,
      original_max_position_embeddings: keys.get('rope.scaling.original_context_length'),
    }),
  ],
  ['phi2', (_keys, _input, sizes) => ({ partial_rotary_factor: shareOf(sizes) })],
  [
    'gptneox',
    (keys, _, sizes) => ({
      rotary_pct: shareOf(sizes),
      rotary_emb_base: keys.get('rope.freq_base') ?? DEFAULT_BASE,
      use_parallel_residual: keys.get('use_parallel_residual'),
      hidden_act: 'gelu',
    }),
  ],
]);

/** What llama.cpp takes where a file does not say it. */
const DEFAULT_BASE = 10000;

function rotaryFields(keys: ArchitectureKeys, { factors }: ConfigurationInput): Fields {
  const base = { rope_theta: keys.get('rope.freq_base') ?? DEFAULT_BASE };
  const [own, long, short] = FACTOR_TENSORS.map((name) => factors.get(name));
  if (long && short) {
    const attention = keys.get('rope.scaling.attn_factor');
    const longrope = { rope_type: 'longrope', long_factor: long, short_factor: short };
    return { ...base, rope_scaling: { ...longrope, attention_factor: attention } };
  }
  if (own) return { ...base, rope_scaling: { rope_type: 'frequency_factors', factors: own } };
  const type = keys.get('rope.scaling.type');
  if (type === undefined || type === 'none') {
    const factor = keys.number('rope.scale_linear') ?? 1;
    return factor === 1 ? base : { ...base, rope_scaling: { rope_type: 'linear', factor } };
  }
  const scaling = {
    rope_type: type,
    factor: keys.get('rope.scaling.factor'),
    original_max_position_embeddings: keys.get('rope.scaling.original_context_length'),
    attention_factor: keys.get('rope.scaling.attn_factor'),
    beta_fast: keys.get('rope.scaling.yarn_beta_fast'),
    beta_slow: keys.get('rope.scaling.yarn_beta_slow'),
  };
  return { ...base, rope_scaling: scaling };
}
