import type { OpenedModel } from '../../../checkpoint/types.js';
import type { Configuration } from '../configuration.js';
import type { BlockPlan, ModelPlan } from '../plan.js';
import { planRotaries, planRotary, turnsByType, type RotaryKeys } from '../rotary.js';
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

/** What tells the relatives of Llama apart. */
interface Traits {
  /** Used where num_key_value_heads is missing; absent: as many as heads. */
  readonly keyValueHeads?: number;
  readonly headSize?: number;
  /** Biases of q, k, v and of the output projection, by the configuration. */
  readonly attentionBias: (config: Configuration) => { inputs: boolean; output: boolean };
  readonly queryKeyNorm?: boolean;
  readonly rotary?: RotaryKeys;
  /** Of objects within a configuration. */
  readonly defaults?: Architecture['defaults'];
  /** The window of each layer. */
  readonly windows: (config: Configuration, layers: number) => number[];
}

function planLlama(config: Configuration, model: OpenedModel, traits: Traits): ModelPlan {
  const tensors = TensorIndex.of(model, ['model.', ''], 'norm.weight');
  const { prefix } = tensors;
  const hiddenSize = config.count('hidden_size');
  const layers = tensors.layerCount(config, 'num_hidden_layers', 'layers.');
  const width = config.count('intermediate_size');
  const epsilon = config.positive('rms_norm_eps', 1e-6);
  const counts = readHeadCounts(config, hiddenSize, traits.keyValueHeads, traits.headSize);
  const { headSize } = counts;
  const bias = traits.attentionBias(config);
  const activation = readActivation(config, 'hidden_act', 'silu');
  const windows = traits.windows(config, layers);
  const hasWindows = windows.some((window) => window > 0);
  const hasLocal = hasWindows && turnsByType(config);
  const blocks = windows.map((window, layer): BlockPlan => {
    const module = `${prefix}layers.${layer}`;
    const attention = `${module}.self_attn`;
    const headNorm = (name: string) =>
      traits.queryKeyNorm ? tensors.rmsNorm(`${attention}.${name}`, headSize, epsilon) : undefined;
    return {
      attention: {
        ...planSeparateProjections(tensors, attention, counts, hiddenSize, bias.inputs),
        ...counts,
        scale: headSize ** -0.5,
        window,
        softCap: 0,
        rotation: hasLocal && window > 0 ? 'local' : undefined,
        queryNorm: headNorm('q_norm'),
        keyNorm: headNorm('k_norm'),
        output: tensors.linear(`${attention}.o_proj`, hiddenSize, counts.heads * headSize, {
          bias: bias.output,
        }),
      },
      attentionNorms: { before: tensors.rmsNorm(`${module}.input_layernorm`, hiddenSize, epsilon) },
      feedForward: planGatedFeedForward(tensors, {
        module: `${module}.mlp`,
        hiddenSize,
        width,
        activation,
        bias: config.boolean('mlp_bias', false),
      }),
      feedForwardNorms: {
        before: tensors.rmsNorm(`${module}.post_attention_layernorm`, hiddenSize, epsilon),
      },
      parallel: false,
    };
  });
  const { tokens, vocabulary } = planVocabulary(config, tensors, hiddenSize);
  return {
    modelType: config.text('model_type'),
    hiddenSize,
    maxPositions: config.positions('max_position_embeddings', 2048),
    positionsAreHard: false,
    embedding: { tokens, size: hiddenSize, scale: 1 },
    // After the blocks: the size of heads has been held against the tensors by now.
    ...(hasWindows
      ? planRotaries(config, headSize, traits.rotary)
      : { rotary: planRotary(config, headSize, traits.rotary) }),
    blocks,
    finalNorm: tensors.rmsNorm(`${prefix}norm`, hiddenSize, epsilon),
    ...vocabulary,
    logitSoftCap: 0,
    notes: config.notes,
  };
}

const noWindows = (_: Configuration, layers: number) => new Array<number>(layers).fill(0);

const llama: Traits = {
  attentionBias: (config) => {
    const bias = config.boolean('attention_bias', false);
    return { inputs: bias, output: bias };
  },
  windows: noWindows,
  defaults: {
    vocab_size: 32000,
    hidden_size: 4096,
    intermediate_size: 11008,
    num_hidden_layers: 32,
    num_attention_heads: 32,
  },
};

/** Its window is on unless it is null; a configuration without the field means 4096. */
function mistralWindows(config: Configuration, layers: number): number[] {
  const window = config.optional('sliding_window', 'count', 4096);
  return readLayerWindows(config, layers, window, () => true);
}

/** The window counts only when switched on, and then only in the upper layers. */
function qwenWindows(config: Configuration, layers: number): number[] {
  if (!config.boolean('use_sliding_window', false)) return noWindows(config, layers);
  const window = config.optional('sliding_window', 'count', 4096);
  const first = config.countFromZero('max_window_layers', 28);
  return readLayerWindows(config, layers, window, (layer) => layer >= first);
}

const TRAITS: ReadonlyMap<string, Traits> = new Map([
  ['llama', llama],
  [
    'mistral',
    {
      keyValueHeads: 8,
      defaults: {
        vocab_size: 32000,
        hidden_size: 4096,
        intermediate_size: 14336,
        num_hidden_layers: 32,
        num_attention_heads: 32,
        num_key_value_heads: 8,
      },
      attentionBias: () => ({ inputs: false, output: false }),
      windows: mistralWindows,
    },
  ],
  [
    'qwen2',
    {
      attentionBias: () => ({ inputs: true, output: false }),
      windows: qwenWindows,
    },
  ],
  [
    'qwen3',
    {
      headSize: 128,
      attentionBias: llama.attentionBias,
      queryKeyNorm: true,
      windows: qwenWindows,
    },
  ],
]);

/** Llama and its nearest relatives. */
export const llamaFamily: readonly Architecture[] = Array.from(TRAITS, ([modelType, traits]) => ({
  modelType,
  plan: (config, model) => planLlama(config, model, traits),
  defaults: traits.defaults,
}));
