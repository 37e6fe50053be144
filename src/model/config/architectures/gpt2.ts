import type { OpenedModel } from '../../../checkpoint/types.js';
import type { Configuration } from '../configuration.js';
import type { BlockPlan, ModelPlan } from '../plan.js';
import { TensorIndex } from '../tensorIndex.js';
import {
  readActivation,
  blockwiseHeads,
  readEqualHeads,
  planPlainFeedForward,
  planVocabulary,
  type Architecture,
} from './shared.js';

function planGpt2(config: Configuration, model: OpenedModel): ModelPlan {
  const tensors = TensorIndex.of(model, ['transformer.', ''], 'ln_f.weight');
  const { prefix } = tensors;
  const hiddenSize = config.count('n_embd');
  const layers = tensors.layerCount(config, 'n_layer', 'h.');
  const counts = readEqualHeads(config, hiddenSize, 'n_head');
  const { headSize } = counts;
  const maxPositions = config.positions('n_positions', 1024);
  const width = config.count('n_inner', 4 * hiddenSize);
  const epsilon = config.positive('layer_norm_epsilon', 1e-5);
  const activation = readActivation(config, 'activation_function', 'gelu_new');
  const scaled = config.boolean('scale_attn_weights', true);
  const byLayer = config.boolean('scale_attn_by_inverse_layer_idx', false);
  const biased = { bias: true };
  const blocks = Array.from({ length: layers }, (_, layer): BlockPlan => {
    const module = `${prefix}h.${layer}`;
    return {
      attention: {
        projections: [tensors.linear(`${module}.attn.c_attn`, 3 * hiddenSize, hiddenSize, biased)],
        ...blockwiseHeads(counts),
        ...counts,
        scale: (scaled ? headSize ** -0.5 : 1) / (byLayer ? layer + 1 : 1),
        window: 0,
        softCap: 0,
        output: tensors.linear(`${module}.attn.c_proj`, hiddenSize, hiddenSize, biased),
      },
      attentionNorms: { before: tensors.layerNorm(`${module}.ln_1`, hiddenSize, epsilon) },
      feedForward: planPlainFeedForward(
        tensors.linear(`${module}.mlp.c_fc`, width, hiddenSize, biased),
        activation,
        tensors.linear(`${module}.mlp.c_proj`, hiddenSize, width, biased),
      ),
      feedForwardNorms: { before: tensors.layerNorm(`${module}.ln_2`, hiddenSize, epsilon) },
      parallel: false,
    };
  });
  const { tokens, vocabulary } = planVocabulary(config, tensors, hiddenSize, {
    names: { embedding: `${prefix}wte.weight`, head: 'lm_head.weight' },
    tiedByDefault: true,
  });
  return {
    modelType: 'gpt2',
    hiddenSize,
    maxPositions,
    positionsAreHard: true,
    embedding: {
      tokens,
      size: hiddenSize,
      scale: 1,
      positions: {
        tensor: tensors.require(`${prefix}wpe.weight`, [maxPositions, hiddenSize]),
        offset: 0,
      },
    },
    blocks,
    finalNorm: tensors.layerNorm(`${prefix}ln_f`, hiddenSize, epsilon),
    ...vocabulary,
    logitSoftCap: 0,
    notes: config.notes,
  };
}

const LINEAR_WEIGHT =
  /(^|\.)h\.\d+\.((attn|crossattention)\.(c_attn|q_attn|c_proj)|mlp\.(c_fc|c_proj))\.weight$/;

/** GPT-2; its linear weights are stored as [inputs × outputs]. */
export const gpt2: Architecture = {
  modelType: 'gpt2',
  plan: planGpt2,
  transposedWeights: {
    has: (name) => LINEAR_WEIGHT.test(name),
    // Keys and values, mostly queries too, come out of one product. The feed-forward width is free.
    hasMoreOutputs: (name) => name.endsWith('.c_attn.weight'),
  },
};
