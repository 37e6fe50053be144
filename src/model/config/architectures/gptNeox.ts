import type { OpenedModel } from '../../../checkpoint/types.js';
import type { Configuration } from '../configuration.js';
import type { BlockPlan, ModelPlan } from '../plan.js';
import { planRotary } from '../rotary.js';
import { TensorIndex } from '../tensorIndex.js';
import {
  readActivation,
  readEqualHeads,
  planPlainFeedForward,
  planVocabulary,
  type Architecture,
} from './shared.js';

function planGptNeox(config: Configuration, model: OpenedModel): ModelPlan {
  const tensors = TensorIndex.of(model, ['gpt_neox.', ''], 'final_layer_norm.weight');
  const { prefix } = tensors;
  const hiddenSize = config.count('hidden_size');
  const width = config.count('intermediate_size');
  const epsilon = config.positive('layer_norm_eps', 1e-5);
  const layers = tensors.layerCount(config, 'num_hidden_layers', 'layers.');
  const { heads, headSize } = readEqualHeads(config, hiddenSize);
  const activation = readActivation(config, 'hidden_act', 'gelu');
  const bias = config.boolean('attention_bias', true);
  const parallel = config.boolean('use_parallel_residual', true);
  const blocks = Array.from({ length: layers }, (_, layer): BlockPlan => {
    const module = `${prefix}layers.${layer}`;
    const norm = (name: string) => tensors.layerNorm(`${module}.${name}`, hiddenSize, epsilon);
    const attention = `${module}.attention`;
    return {
      attention: {
        projections: [
          tensors.linear(`${attention}.query_key_value`, 3 * hiddenSize, hiddenSize, { bias }),
        ],
        // Head by head: its query, its key, its value.
        queries: { at: 0, stride: 3 * headSize },
        keys: { at: headSize, stride: 3 * headSize },
        values: { at: 2 * headSize, stride: 3 * headSize },
        heads,
        keyValueHeads: heads,
        headSize,
        scale: headSize ** -0.5,
        window: 0,
        softCap: 0,
        output: tensors.linear(`${attention}.dense`, hiddenSize, hiddenSize, { bias }),
      },
      attentionNorms: { before: norm('input_layernorm') },
      feedForward: planPlainFeedForward(
        tensors.linear(`${module}.mlp.dense_h_to_4h`, width, hiddenSize, { bias: true }),
        activation,
        tensors.linear(`${module}.mlp.dense_4h_to_h`, hiddenSize, width, { bias: true }),
      ),
      feedForwardNorms: { before: norm('post_attention_layernorm') },
      parallel,
    };
  });
  const { tokens, vocabulary } = planVocabulary(config, tensors, hiddenSize, {
    names: { embedding: `${prefix}embed_in.weight`, head: 'embed_out.weight' },
  });
  return {
    modelType: 'gpt_neox',
    hiddenSize,
    maxPositions: config.positions('max_position_embeddings', 2048),
    positionsAreHard: false,
    embedding: { tokens, size: hiddenSize, scale: 1 },
    rotary: planRotary(config, headSize, {
      theta: 'rotary_emb_base',
      partial: { key: 'rotary_pct', fallback: 0.25 },
    }),
    blocks,
    finalNorm: tensors.layerNorm(`${prefix}final_layer_norm`, hiddenSize, epsilon),
    ...vocabulary,
    logitSoftCap: 0,
    notes: config.notes,
  };
}

/** GPT-NeoX and Pythia. */
export const gptNeox: Architecture = { modelType: 'gpt_neox', plan: planGptNeox };
