import { planRotary } from '../rotary.js';
import { biasOfAll, planDecoder, rmsNorm } from './decoder.js';
import type { Architecture } from './shared.js';

/** OLMo 2: norms behind each part, and over all queries and all keys. */
export const olmo2: Architecture = {
  modelType: 'olmo2',
  plan: (config, model) =>
    planDecoder(config, model, {
      norm: (parts, module) => rmsNorm(parts, module, 1e-5),
      places: (norm) => ({
        attentionNorms: { after: norm('post_attention_layernorm') },
        feedForwardNorms: { after: norm('post_feedforward_layernorm') },
        parallel: false,
      }),
      attention: ({ tensors, counts }, module) => {
        const { heads, keyValueHeads, headSize } = counts;
        const epsilon = config.positive('rms_norm_eps', 1e-5);
        return {
          headNorms: 'joined',
          queryNorm: tensors.rmsNorm(`${module}.q_norm`, heads * headSize, epsilon),
          keyNorm: tensors.rmsNorm(`${module}.k_norm`, keyValueHeads * headSize, epsilon),
        };
      },
      attentionBias: biasOfAll,
      maxPositions: 2048,
      model: ({ counts }) => ({ rotary: planRotary(config, counts.headSize) }),
    }),
};
