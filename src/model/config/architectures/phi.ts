import type { OpenedModel } from '../../../checkpoint/types.js';
import type { Configuration } from '../configuration.js';
import type { BlockPlan, ModelPlan } from '../plan.js';
import { planRotary } from '../rotary.js';
import { TensorIndex } from '../tensorIndex.js';
import {
  readActivation,
  blockwiseHeads,
  readHeadCounts,
  readLayerWindows,
  planPlainFeedForward,
  planSeparateProjections,
  planVocabulary,
  type Architecture,
} from './shared.js';

function planPhi(config: Configuration, model: OpenedModel): ModelPlan {
  const tensors = TensorIndex.of(model, ['model.', ''], 'embed_tokens.weight');
  const { prefix } = tensors;
  const hiddenSize = config.count('hidden_size');
  const width = config.count('intermediate_size');
  const epsilon = config.positive('layer_norm_eps', 1e-5);
  const layers = tensors.layerCount(config, 'num_hidden_layers', 'layers.');
  const counts = readHeadCounts(config, hiddenSize);
  const activation = readActivation(config, 'hidden_act', 'gelu_new');
  if (config.boolean('qk_layernorm', false)) {
    config.fail('"qk_layernorm" is not supported for phi');
  }
  const blocks = Array.from({ length: layers }, (_, layer): BlockPlan => {
    const module = `${prefix}layers.${layer}`;
    // One norm feeds both parts.
    const norm = tensors.layerNorm(`${module}.input_layernorm`, hiddenSize, epsilon);
    const attention = `${module}.self_attn`;
    const bias = { bias: true };
    return {
      attention: {
        ...planSeparateProjections(tensors, attention, counts, hiddenSize, true),
        ...counts,
        scale: counts.headSize ** -0.5,
        window: 0,
        softCap: 0,
        output: tensors.linear(
          `${attention}.dense`,
          hiddenSize,
          counts.heads * counts.headSize,
          bias,
        ),
      },
      attentionNorms: { before: norm },
      feedForward: planPlainFeedForward(
        tensors.linear(`${module}.mlp.fc1`, width, hiddenSize, bias),
        activation,
        tensors.linear(`${module}.mlp.fc2`, hiddenSize, width, bias),
      ),
      feedForwardNorms: { before: norm },
      parallel: true,
    };
  });
  const { tokens, vocabulary } = planVocabulary(config, tensors, hiddenSize, { headBias: true });
  return {
    modelType: 'phi',
    hiddenSize,
    maxPositions: config.positions('max_position_embeddings', 2048),
    positionsAreHard: false,
    embedding: { tokens, size: hiddenSize, scale: 1 },
    rotary: planRotary(config, counts.headSize, {
      partial: { key: 'partial_rotary_factor', fallback: 0.5 },
    }),
    blocks,
    finalNorm: tensors.layerNorm(`${prefix}final_layernorm`, hiddenSize, epsilon),
    ...vocabulary,
    logitSoftCap: 0,
    notes: config.notes,
  };
}

function planPhi3(config: Configuration, model: OpenedModel): ModelPlan {
  const tensors = TensorIndex.of(model, ['model.', ''], 'norm.weight');
  const { prefix } = tensors;
  const hiddenSize = config.count('hidden_size');
  const width = config.count('intermediate_size');
  const layers = tensors.layerCount(config, 'num_hidden_layers', 'layers.');
  const epsilon = config.positive('rms_norm_eps', 1e-5);
  const counts = readHeadCounts(config, hiddenSize);
  const { heads, keyValueHeads, headSize } = counts;
  const activation = readActivation(config, 'hidden_act', 'silu');
  const windows = readLayerWindows(
    config,
    layers,
    config.optional('sliding_window', 'count'),
    () => true,
  );
  const blocks = windows.map((window, layer): BlockPlan => {
    const module = `${prefix}layers.${layer}`;
    const norm = (name: string) => tensors.rmsNorm(`${module}.${name}`, hiddenSize, epsilon);
    return {
      attention: {
        projections: [
          tensors.linear(
            `${module}.self_attn.qkv_proj`,
            (heads + 2 * keyValueHeads) * headSize,
            hiddenSize,
          ),
        ],
        ...blockwiseHeads(counts),
        ...counts,
        scale: headSize ** -0.5,
        window,
        softCap: 0,
        output: tensors.linear(`${module}.self_attn.o_proj`, hiddenSize, heads * headSize),
      },
      attentionNorms: { before: norm('input_layernorm') },
      feedForward: {
        projections: [tensors.linear(`${module}.mlp.gate_up_proj`, 2 * width, hiddenSize)],
        gate: 0,
        up: width,
        width,
        activation,
        down: tensors.linear(`${module}.mlp.down_proj`, hiddenSize, width),
      },
      feedForwardNorms: { before: norm('post_attention_layernorm') },
      parallel: false,
    };
  });
  const { tokens, vocabulary } = planVocabulary(config, tensors, hiddenSize);
  return {
    modelType: 'phi3',
    hiddenSize,
    maxPositions: config.positions('max_position_embeddings', 4096),
    positionsAreHard: false,
    embedding: { tokens, size: hiddenSize, scale: 1 },
    rotary: planRotary(config, headSize, {
      partial: { key: 'partial_rotary_factor', fallback: 1 },
    }),
    blocks,
    finalNorm: tensors.rmsNorm(`${prefix}norm`, hiddenSize, epsilon),
    ...vocabulary,
    logitSoftCap: 0,
    notes: config.notes,
  };
}

/** Phi (1, 1.5, 2) and Phi-3. */
export const phiFamily: readonly Architecture[] = [
  { modelType: 'phi', plan: planPhi },
  { modelType: 'phi3', plan: planPhi3 },
];
