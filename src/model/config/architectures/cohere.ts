import { planRotary } from '../rotary.js';
import { biasOfAll, oneNorm, planDecoder } from './decoder.js';
import type { Architecture } from './shared.js';

/** Cohere (Command R): one norm without bias for both parts, neighbours turn together, scaled logits. */
export const cohere: Architecture = {
  modelType: 'cohere',
  plan: (config, model) => {
    const epsilon = config.positive('layer_norm_eps', 1e-5);
    const ownNorms = config.boolean('use_qk_norm', false);
    return planDecoder(config, model, {
      norm: ({ tensors, hiddenSize }, module) =>
        tensors.layerNormWithoutBias(module, [hiddenSize], epsilon),
      places: oneNorm,
      attention: ({ tensors, counts }, module) => {
        if (!ownNorms) return {};
        const { heads, keyValueHeads, headSize } = counts;
        const norm = (name: string, of: number) =>
          tensors.layerNormWithoutBias(`${module}.${name}`, [of, headSize], epsilon);
        return {
          headNorms: 'own',
          queryNorm: norm('q_norm', heads),
          keyNorm: norm('k_norm', keyValueHeads),
        };
      },
      attentionBias: biasOfAll,
      tiedByDefault: true,
      maxPositions: 8192,
      model: ({ counts }) => ({
        rotary: planRotary(config, counts.headSize, { interleaved: true }),
        logitScale: config.positive('logit_scale', 0.0625),
      }),
    });
  },
};
