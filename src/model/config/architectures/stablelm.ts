import { planRotary } from '../rotary.js';
import { normsBefore, oneNorm, planDecoder } from './decoder.js';
import type { Architecture } from './shared.js';

/** StableLM: layer norms with biases, a quarter of each head turns; the parts may run side by side. */
export const stablelm: Architecture = {
  modelType: 'stablelm',
  plan: (config, model) => {
    if (config.boolean('qk_layernorm', false)) {
      config.fail('"qk_layernorm" is not supported for stablelm');
    }
    return planDecoder(config, model, {
      norm: ({ tensors, hiddenSize }, module) =>
        tensors.layerNorm(module, hiddenSize, config.positive('layer_norm_eps', 1e-5)),
      places: config.boolean('use_parallel_residual', false) ? oneNorm : normsBefore,
      attentionBias: () => ({ inputs: config.boolean('use_qkv_bias', false), output: false }),
      maxPositions: 4096,
      model: ({ counts }) => ({
        rotary: planRotary(config, counts.headSize, {
          partial: { key: 'partial_rotary_factor', fallback: 0.25 },
        }),
      }),
    });
  },
};
