import type { OpenedModel } from '../../../checkpoint/types.js';
import type { Configuration } from '../configuration.js';
import type { AttentionPlan, ModelPlan } from '../plan.js';
import { planRotary } from '../rotary.js';
import { biasOfAll, oneNorm, planDecoder, type DecoderParts } from './decoder.js';
import { readLayerWindows, type Architecture } from './shared.js';

/** What of the attention is not as usual. */
type AttentionOf = (parts: DecoderParts, module: string, layer: number) => Partial<AttentionPlan>;

/** One norm without bias for both parts, neighbours turn together, scaled logits. */
function planCohere(config: Configuration, model: OpenedModel, attention: AttentionOf): ModelPlan {
  const epsilon = config.positive('layer_norm_eps', 1e-5);
  return planDecoder(config, model, {
    norm: ({ tensors, hiddenSize }, module) =>
      tensors.layerNormWithoutBias(module, [hiddenSize], epsilon),
    places: oneNorm,
    attention,
    attentionBias: biasOfAll,
    tiedByDefault: true,
    maxPositions: 8192,
    model: ({ counts }) => ({
      rotary: planRotary(config, counts.headSize, { interleaved: true }),
      logitScale: config.positive('logit_scale', 0.0625),
    }),
  });
}

/** Each head's queries and keys are normed with weights of its own, where that is switched on. */
function ownNorms(config: Configuration): AttentionOf {
  if (!config.boolean('use_qk_norm', false)) return () => ({});
  const epsilon = config.positive('layer_norm_eps', 1e-5);
  return ({ tensors, counts }, module) => {
    const { heads, keyValueHeads, headSize } = counts;
    const norm = (name: string, of: number) =>
      tensors.layerNormWithoutBias(`${module}.${name}`, [of, headSize], epsilon);
    return {
      headNorms: 'own',
      queryNorm: norm('q_norm', heads),
      keyNorm: norm('k_norm', keyValueHeads),
    };
  };
}

/** Only layers with a window have positions: all but the last of each so many. */
function positionsInWindows(config: Configuration): AttentionOf {
  const pattern = config.count('sliding_window_pattern', 4);
  let windows: number[] | undefined;
  return (_, __, layer) => {
    // The layers are counted against the checkpoint by now.
    windows ??= readLayerWindows(
      config,
      config.count('num_hidden_layers'),
      config.optional('sliding_window', 'count', 4096),
      (each) => (each + 1) % pattern !== 0,
    );
    const window = windows[layer];
    return { window, rotation: window > 0 ? undefined : 'none' };
  };
}

/** Command R, R+, R7B and their relatives. */
export const cohereFamily: readonly Architecture[] = [
  { modelType: 'cohere', plan: (config, model) => planCohere(config, model, ownNorms(config)) },
  {
    modelType: 'cohere2',
    plan: (config, model) => planCohere(config, model, positionsInWindows(config)),
  },
];
