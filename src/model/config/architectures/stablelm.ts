import { planRotary } from '../rotary.js';
import { normsBefore, oneNorm, planDecoder } from './decoder.js';
import type { Architecture } from './shared.js';

/**
 * StableLM: layer norms with biases, a quarter of each head turns; the parts may run side by side, and heads of
 * queries and keys may have norms of their own.
 */
export const stablelm: Architecture = {
  modelType: 'stablelm',
  plan: (config, model) => {
    const epsilon = config.positive('layer_norm_eps', 1e-5);
    const normsHeads = config.boolean('qk_layernorm', false);
    return planDecoder(config, model, {
      norm: ({ tensors, hiddenSize }, module) => tensors.layerNorm(module, hiddenSize, epsilon),
      places: config.boolean('use_parallel_residual', false) ? oneNorm : normsBefore,
      attention: ({ tensors, counts: { heads, keyValueHeads, headSize } }, module) => {
        if (!normsHeads) return {};
        const norm = (name: string, of: number) =>
          tensors.layerNormOfHeads(`${module}.${name}`, of, headSize, epsilon);
        return {
          headNorms: 'own',
          queryNorm: norm('q_layernorm', heads),
          keyNorm: norm('k_layernorm', keyValueHeads),
        };
      },
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
