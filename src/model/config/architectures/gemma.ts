import type { Activation } from '../../../kernels/forwardKernels.js';
import type { OpenedModel } from '../../../checkpoint/types.js';
import type { Configuration } from '../configuration.js';
import type { BlockPlan, ModelPlan } from '../plan.js';
import { planRotary } from '../rotary.js';
import { TensorIndex } from '../tensorIndex.js';
import {
  readActivation,
  planGatedFeedForward,
  readHeadCounts,
  readLayerWindows,
  planSeparateProjections,
  planVocabulary,
  type Architecture,
} from './shared.js';

/** Releases of the library differ on what `hidden_act: "gelu"` alone means; they agree on the rest. */
function gemmaActivation(config: Configuration): Activation {
  if (config.has('hidden_activation')) {
    return readActivation(config, 'hidden_activation', 'gelu_pytorch_tanh');
  }
  if (config.has('hidden_act') && config.text('hidden_act') !== 'gelu') {
    return readActivation(config, 'hidden_act', 'gelu_pytorch_tanh');
  }
  config.notes.push('config.json has no "hidden_activation"; the tanh form of GELU is assumed');
  return 'gelu-tanh';
}

/** The defaults are those of the original code; null switches a cap off. */
function readCap(config: Configuration, key: string, fallback: number): number {
  return config.optional(key, 'positive', fallback) ?? 0;
}

function planGemma(config: Configuration, model: OpenedModel, second: boolean): ModelPlan {
  const tensors = TensorIndex.of(model, ['model.', ''], 'norm.weight');
  const { prefix } = tensors;
  const hiddenSize = config.count('hidden_size');
  const layers = tensors.layerCount(config, 'num_hidden_layers', 'layers.');
  const width = config.count('intermediate_size');
  const epsilon = config.positive('rms_norm_eps', 1e-6);
  const counts = readHeadCounts(config, hiddenSize, undefined, 256);
  const { headSize } = counts;
  const bias = config.boolean('attention_bias', false);
  const activation = gemmaActivation(config);
  const norm = (name: string) => tensors.rmsNorm(name, hiddenSize, epsilon, 1);
  const windows = second
    ? readLayerWindows(
        config,
        layers,
        config.optional('sliding_window', 'count', 4096),
        (layer) => layer % 2 === 0,
      )
    : new Array<number>(layers).fill(0);
  const blocks = windows.map((window, layer): BlockPlan => {
    const module = `${prefix}layers.${layer}`;
    const attention = `${module}.self_attn`;
    return {
      attention: {
        ...planSeparateProjections(tensors, attention, counts, hiddenSize, bias),
        ...counts,
        scale: (second ? config.positive('query_pre_attn_scalar', 256) : headSize) ** -0.5,
        window,
        softCap: second ? readCap(config, 'attn_logit_softcapping', 50) : 0,
        output: tensors.linear(`${attention}.o_proj`, hiddenSize, counts.heads * headSize, {
          bias,
        }),
      },
      attentionNorms: {
        before: norm(`${module}.input_layernorm`),
        after: second ? norm(`${module}.post_attention_layernorm`) : undefined,
      },
      feedForward: planGatedFeedForward(tensors, {
        module: `${module}.mlp`,
        hiddenSize,
        width,
        activation,
      }),
      feedForwardNorms: {
        before: norm(`${module}.${second ? 'pre_feedforward' : 'post_attention'}_layernorm`),
        after: second ? norm(`${module}.post_feedforward_layernorm`) : undefined,
      },
      parallel: false,
    };
  });
  const { tokens, vocabulary } = planVocabulary(config, tensors, hiddenSize, {
    tiedByDefault: true,
  });
  return {
    modelType: config.text('model_type'),
    hiddenSize,
    maxPositions: config.positions('max_position_embeddings', 8192),
    positionsAreHard: false,
    embedding: { tokens, size: hiddenSize, scale: Math.fround(Math.sqrt(hiddenSize)) },
    rotary: planRotary(config, headSize),
    blocks,
    finalNorm: norm(`${prefix}norm`),
    ...vocabulary,
    logitSoftCap: second ? readCap(config, 'final_logit_softcapping', 30) : 0,
    notes: config.notes,
  };
}

/** Gemma and Gemma 2. */
export const gemmaFamily: readonly Architecture[] = [
  { modelType: 'gemma', plan: (config, model) => planGemma(config, model, false) },
  { modelType: 'gemma2', plan: (config, model) => planGemma(config, model, true) },
];
