import type { Activation } from '../../../kernels/forwardKernels.js';
import type { OpenedModel } from '../../../checkpoint/types.js';
import type { Configuration } from '../configuration.js';
import type { BlockPlan, ModelPlan } from '../plan.js';
import { plainRotary, planRotaries, planRotary } from '../rotary.js';
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

/** Layers with a window: all but the last of each so many. */
function everyButLast(pattern: number): (layer: number) => boolean {
  return (layer) => (layer + 1) % pattern !== 0;
}

/** In Gemma 3, layers with a window turn with a base of their own and without scaling. */
function planGemma3Rotaries(config: Configuration, headSize: number) {
  const rotaries = planRotaries(config, headSize, { defaultTheta: 1_000_000 });
  const local = plainRotary(config, headSize, config.positive('rope_local_base_freq', 10000));
  return { rotary: rotaries.rotary, localRotary: rotaries.localRotary ?? local };
}

/** The defaults are those of the original code; null switches a cap off. */
function readCap(config: Configuration, key: string, fallback: number | undefined): number {
  return config.optional(key, 'positive', fallback) ?? 0;
}

function planGemma(config: Configuration, model: OpenedModel, generation: 1 | 2 | 3): ModelPlan {
  const second = generation >= 2;
  const third = generation === 3;
  const tensors = TensorIndex.of(model, ['model.', ''], 'norm.weight');
  const { prefix } = tensors;
  const hiddenSize = config.count('hidden_size');
  const layers = tensors.layerCount(config, 'num_hidden_layers', 'layers.');
  const width = config.count('intermediate_size');
  const epsilon = config.positive('rms_norm_eps', 1e-6);
  const counts = readHeadCounts(config, hiddenSize, third ? 4 : undefined, 256);
  const { headSize } = counts;
  const bias = config.boolean('attention_bias', false);
  const activation = gemmaActivation(config);
  const norm = (name: string) => tensors.rmsNorm(name, hiddenSize, epsilon, 1);
  const headNorm = (name: string) => tensors.rmsNorm(name, headSize, epsilon, 1);
  const windows = second
    ? readLayerWindows(
        config,
        layers,
        config.optional('sliding_window', 'count', 4096),
        third ? everyButLast(config.count('sliding_window_pattern', 6)) : everyButLast(2),
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
        softCap: second ? readCap(config, 'attn_logit_softcapping', third ? undefined : 50) : 0,
        rotation: third && window > 0 ? 'local' : undefined,
        queryNorm: third ? headNorm(`${attention}.q_norm`) : undefined,
        keyNorm: third ? headNorm(`${attention}.k_norm`) : undefined,
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
    maxPositions: config.positions('max_position_embeddings', third ? 131072 : 8192),
    positionsAreHard: false,
    embedding: { tokens, size: hiddenSize, scale: Math.fround(Math.sqrt(hiddenSize)) },
    ...(third ? planGemma3Rotaries(config, headSize) : { rotary: planRotary(config, headSize) }),
    blocks,
    finalNorm: norm(`${prefix}norm`),
    ...vocabulary,
    logitSoftCap: second ? readCap(config, 'final_logit_softcapping', third ? undefined : 30) : 0,
    notes: config.notes,
  };
}

/** Gemma, Gemma 2 and the language model of Gemma 3. */
export const gemmaFamily: readonly Architecture[] = [
  { modelType: 'gemma', plan: (config, model) => planGemma(config, model, 1) },
  { modelType: 'gemma2', plan: (config, model) => planGemma(config, model, 2) },
  {
    modelType: 'gemma3_text',
    plan: (config, model) => planGemma(config, model, 3),
    defaults: {
      vocab_size: 262208,
      hidden_size: 2304,
      intermediate_size: 9216,
      num_hidden_layers: 26,
      num_attention_heads: 8,
      hidden_activation: 'gelu_pytorch_tanh',
    },
  },
];
