import type { Activation } from '../../../kernels/forwardKernels.js';
import type { OpenedModel } from '../../../checkpoint/types.js';
import type { Configuration } from '../configuration.js';
import type { AttentionPlan, FeedForwardPlan, LinearPlan, ModelPlan } from '../plan.js';
import type { TensorIndex } from '../tensorIndex.js';

/** One architecture: how its configuration becomes a plan. */
export interface Architecture {
  /** `model_type` of config.json. */
  readonly modelType: string;
  plan(config: Configuration, model: OpenedModel): ModelPlan;
  /** Fields as the class has them where an object within `config.json` leaves them out. */
  readonly defaults?: Readonly<Record<string, unknown>>;
  /** Linear weights that are stored as [inputs × outputs]; absent: none are. */
  readonly transposedWeights?: {
    has(name: string): boolean;
    /** True where weights of that name have more outputs than inputs in every model. */
    hasMoreOutputs(name: string): boolean;
  };
}

const ACTIVATIONS: ReadonlyMap<string, Activation> = new Map([
  ['silu', 'silu'],
  ['swish', 'silu'],
  ['gelu', 'gelu'],
  ['gelu_python', 'gelu'],
  ['gelu_accurate', 'gelu-tanh'],
  ['gelu_python_tanh', 'gelu-tanh'],
  ['quick_gelu', 'quick-gelu'],
  ['gelu_10', 'gelu-10'],
  ['gelu_new', 'gelu-tanh'],
  ['gelu_pytorch_tanh', 'gelu-tanh'],
  ['gelu_fast', 'gelu-tanh'],
  ['relu', 'relu'],
  ['relu2', 'relu2'],
]);

/** The activation that a field names. */
export function readActivation(config: Configuration, key: string, fallback: string): Activation {
  return config.oneOf(key, 'activation', ACTIVATIONS, fallback);
}

export interface HeadCounts {
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headSize: number;
}

/** Heads of a configuration, checked against each other. */
export function readHeadCounts(
  config: Configuration,
  hiddenSize: number,
  keyValueFallback?: number,
  headSizeFallback?: number,
): HeadCounts {
  const heads = config.count('num_attention_heads');
  const keyValueHeads = config.count('num_key_value_heads', keyValueFallback ?? heads);
  if (heads % keyValueHeads !== 0) {
    config.fail(`${heads} attention heads cannot share ${keyValueHeads} key/value heads evenly`);
  }
  if (!config.has('head_dim') && headSizeFallback === undefined) {
    return { heads, keyValueHeads, headSize: divideAmongHeads(config, hiddenSize, heads) };
  }
  return { heads, keyValueHeads, headSize: config.count('head_dim', headSizeFallback) };
}

/** Heads of architectures whose heads divide the hidden size and have their own keys and values. */
export function readEqualHeads(
  config: Configuration,
  hiddenSize: number,
  key = 'num_attention_heads',
): HeadCounts {
  const heads = config.count(key);
  return { heads, keyValueHeads: heads, headSize: divideAmongHeads(config, hiddenSize, heads) };
}

function divideAmongHeads(config: Configuration, hiddenSize: number, heads: number): number {
  if (hiddenSize % heads === 0) return hiddenSize / heads;
  return config.fail(`the hidden size ${hiddenSize} is not a multiple of ${heads} heads`);
}

/** Where queries, keys and values stand when all heads of each follow one another. */
export function blockwiseHeads({ heads, keyValueHeads, headSize }: HeadCounts) {
  const keysAt = heads * headSize;
  return {
    queries: { at: 0, stride: headSize },
    keys: { at: keysAt, stride: headSize },
    values: { at: keysAt + keyValueHeads * headSize, stride: headSize },
  };
}

/** Separate q_proj, k_proj and v_proj; `biases` for each. */
export function planSeparateProjections(
  tensors: TensorIndex,
  module: string,
  counts: HeadCounts,
  hiddenSize: number,
  bias: boolean,
): Pick<AttentionPlan, 'projections' | 'queries' | 'keys' | 'values'> {
  const queryRows = counts.heads * counts.headSize;
  const keyRows = counts.keyValueHeads * counts.headSize;
  return {
    projections: [
      tensors.linear(`${module}.q_proj`, queryRows, hiddenSize, { bias }),
      tensors.linear(`${module}.k_proj`, keyRows, hiddenSize, { bias }),
      tensors.linear(`${module}.v_proj`, keyRows, hiddenSize, { bias }),
    ],
    ...blockwiseHeads(counts),
  };
}

/** What a gated feed-forward part is made of. */
export interface GatedParts {
  /** Prefix of its tensors. */
  readonly module: string;
  readonly hiddenSize: number;
  /** Length of what is activated. */
  readonly width: number;
  readonly activation: Activation;
  readonly bias?: boolean;
}

/** down(activation(gate(x))·up(x)) from separate tensors. */
export function planGatedFeedForward(
  tensors: TensorIndex,
  { module, hiddenSize, width, activation, bias = false }: GatedParts,
): FeedForwardPlan {
  return {
    projections: [
      tensors.linear(`${module}.gate_proj`, width, hiddenSize, { bias }),
      tensors.linear(`${module}.up_proj`, width, hiddenSize, { bias }),
    ],
    gate: 0,
    up: width,
    width,
    activation,
    down: tensors.linear(`${module}.down_proj`, hiddenSize, width, { bias }),
  };
}

/** out(activation(in(x))). */
export function planPlainFeedForward(
  projection: LinearPlan,
  activation: Activation,
  down: LinearPlan,
): FeedForwardPlan {
  return { projections: [projection], gate: 0, width: projection.outputs, activation, down };
}

/** Whether layers of a type look back over a window only. */
const LAYER_TYPES: ReadonlyMap<string, boolean> = new Map([
  ['full_attention', false],
  ['sliding_attention', true],
]);

/**
 * The window of each layer, by `layer_types` where the configuration lists them.
 * @param window undefined: there is none
 * @returns 0 for layers without
 */
export function readLayerWindows(
  config: Configuration,
  layers: number,
  window: number | undefined,
  isWindowed: (layer: number) => boolean,
): number[] {
  const types = config.listOf('layer_types', 'attention of type', LAYER_TYPES, layers);
  if (types?.includes(true) && window === undefined) {
    config.fail('"layer_types" has sliding_attention, but there is no "sliding_window"');
  }
  return Array.from({ length: layers }, (_, layer) =>
    (types ? types[layer] : isWindowed(layer)) ? (window ?? 0) : 0,
  );
}

/** Embedding and head. */
export interface VocabularyParts {
  /** Name of the embedding. */
  readonly tokens: string;
  /** For the plan as they are. */
  readonly vocabulary: Pick<ModelPlan, 'vocabularySize' | 'head' | 'tiedTwin'>;
}

/**
 * Finds a model's embedding and head.
 * @param names of their tensors; default: those of most architectures
 * @param size length of an embedding
 */
export function planVocabulary(
  config: Configuration,
  tensors: TensorIndex,
  size: number,
  {
    names = { embedding: `${tensors.prefix}embed_tokens.weight`, head: 'lm_head.weight' },
    tiedByDefault = false,
    headBias = false,
  } = {},
): VocabularyParts {
  const vocabularySize = config.count('vocab_size');
  const tied = config.boolean('tie_word_embeddings', tiedByDefault);
  const shape = [vocabularySize, size] as const;
  const headName = tensors.findHead(names.head);
  const found = tensors.embeddingAndHead(names.embedding, headName, shape, tied);
  const biasName = headName.replace(/weight$/, 'bias');
  const head: LinearPlan = {
    weight: found.head,
    bias: headBias ? tensors.require(biasName, [vocabularySize]) : undefined,
    outputs: vocabularySize,
    inputs: size,
    transposed: false,
  };
  const tiedTwin = found.both ? tensors.storedName(names.embedding) : undefined;
  return { tokens: found.embedding, vocabulary: { vocabularySize, head, tiedTwin } };
}
