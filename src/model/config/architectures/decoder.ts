import type { OpenedModel } from '../../../checkpoint/types.js';
import type { Configuration } from '../configuration.js';
import type { AttentionPlan, BlockPlan, FeedForwardPlan, ModelPlan, NormPlan } from '../plan.js';
import { TensorIndex } from '../tensorIndex.js';
import {
  planGatedFeedForward,
  planSeparateProjections,
  planVocabulary,
  readActivation,
  readHeadCounts,
  type HeadCounts,
} from './shared.js';

/** Sizes and tensors that the parts of a block are planned from. */
export interface DecoderParts {
  readonly config: Configuration;
  readonly tensors: TensorIndex;
  readonly hiddenSize: number;
  readonly counts: HeadCounts;
  /** Before "layers.0" in names. */
  readonly prefix: string;
}

/** What tells decoders apart that have Llama's linear maps: q, k, v, o, gate, up, down. */
export interface DecoderTraits {
  /** A norm of the hidden states, by the name of its module. */
  readonly norm: (parts: DecoderParts, module: string) => NormPlan;
  readonly attention?: (
    parts: DecoderParts,
    module: string,
    layer: number,
  ) => Partial<AttentionPlan>;
  /** Norms of a block and what else it has; `module` is its name. */
  readonly places: (
    norm: (name: string) => NormPlan,
    module: string,
  ) => Pick<BlockPlan, 'attentionNorms' | 'feedForwardNorms' | 'parallel' | 'branchScale'>;
  /** Biases of q, k, v and of the output projection. */
  readonly attentionBias: (config: Configuration) => { inputs: boolean; output: boolean };
  /** `module` is the name of the block. */
  readonly feedForward?: (
    parts: DecoderParts,
    module: string,
    layer: number,
  ) => BlockPlan['feedForward'];
  readonly tiedByDefault?: boolean;
  readonly keyValueHeads?: number;
  readonly maxPositions: number;
  /** What the whole model has of its own: rotary encodings, scales. */
  readonly model: (parts: DecoderParts) => Partial<ModelPlan>;
  readonly embeddingScale?: (config: Configuration) => number;
}

/** Lays out a decoder whose blocks are made of Llama's linear maps. */
export function planDecoder(
  config: Configuration,
  model: OpenedModel,
  traits: DecoderTraits,
): ModelPlan {
  const tensors = TensorIndex.of(model, ['model.', ''], 'norm.weight');
  const { prefix } = tensors;
  const hiddenSize = config.count('hidden_size');
  const counts = readHeadCounts(config, hiddenSize, traits.keyValueHeads);
  const parts: DecoderParts = { config, tensors, hiddenSize, counts, prefix };
  const layers = tensors.layerCount(config, 'num_hidden_layers', 'layers.');
  const { heads, headSize } = counts;
  const bias = traits.attentionBias(config);
  const feedForward = traits.feedForward ?? gatedFeedForward;
  const blocks = Array.from({ length: layers }, (_, layer): BlockPlan => {
    const module = `${prefix}layers.${layer}`;
    const attention = `${module}.self_attn`;
    return {
      attention: {
        ...planSeparateProjections(tensors, attention, counts, hiddenSize, bias.inputs),
        ...counts,
        scale: headSize ** -0.5,
        window: 0,
        softCap: 0,
        ...traits.attention?.(parts, attention, layer),
        output: tensors.linear(`${attention}.o_proj`, hiddenSize, heads * headSize, {
          bias: bias.output,
        }),
      },
      feedForward: feedForward(parts, module, layer),
      ...traits.places((name) => traits.norm(parts, `${module}.${name}`), module),
    };
  });
  const { tiedByDefault } = traits;
  const { tokens, vocabulary } = planVocabulary(config, tensors, hiddenSize, { tiedByDefault });
  return {
    modelType: config.text('model_type'),
    hiddenSize,
    maxPositions: config.positions('max_position_embeddings', traits.maxPositions),
    positionsAreHard: false,
    embedding: { tokens, size: hiddenSize, scale: traits.embeddingScale?.(config) ?? 1 },
    blocks,
    finalNorm: traits.norm(parts, `${prefix}norm`),
    ...vocabulary,
    logitSoftCap: 0,
    notes: config.notes,
    ...traits.model(parts),
  };
}

/** Llama's feed-forward part of a block. */
export function gatedFeedForward(
  { config, tensors, hiddenSize }: DecoderParts,
  module: string,
): FeedForwardPlan {
  return planGatedFeedForward(tensors, {
    module: `${module}.mlp`,
    hiddenSize,
    width: config.count('intermediate_size'),
    activation: readActivation(config, 'hidden_act', 'silu'),
    bias: config.boolean('mlp_bias', false),
  });
}

/** Norms before both parts, as Llama has them. */
export function normsBefore(norm: (name: string) => NormPlan) {
  return {
    attentionNorms: { before: norm('input_layernorm') },
    feedForwardNorms: { before: norm('post_attention_layernorm') },
    parallel: false,
  };
}

/** One norm for both parts, which are added together. */
export function oneNorm(norm: (name: string) => NormPlan) {
  const before = norm('input_layernorm');
  return { attentionNorms: { before }, feedForwardNorms: { before }, parallel: true };
}

/** A root-mean-square norm of the hidden states. */
export function rmsNorm(
  { config, tensors, hiddenSize }: DecoderParts,
  module: string,
  epsilon = 1e-6,
): NormPlan {
  return tensors.rmsNorm(module, hiddenSize, config.positive('rms_norm_eps', epsilon));
}

/** `attention_bias` for all four maps. */
export function biasOfAll(config: Configuration): { inputs: boolean; output: boolean } {
  const bias = config.boolean('attention_bias', false);
  return { inputs: bias, output: bias };
}
