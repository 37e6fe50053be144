import { planRotary } from '../rotary.js';
import { biasOfAll, gatedFeedForward, normsBefore, planDecoder, rmsNorm } from './decoder.js';
import { planExperts, readExpertCounts } from './experts.js';
import { readActivation, type Architecture } from './shared.js';

/** Qwen 3 with experts in the place of the feed-forward parts of some layers. */
export const qwen3Moe: Architecture = {
  modelType: 'qwen3_moe',
  plan: (config, model) => {
    const counts = readExpertCounts(config);
    const step = config.count('decoder_sparse_step', 1);
    const dense = new Set(config.countsFromZero('mlp_only_layers'));
    if (config.boolean('use_sliding_window', false)) {
      // Releases of transformers differ in which layers have it, and no published model does.
      config.fail('"use_sliding_window" is not supported in this architecture');
    }
    return planDecoder(config, model, {
      norm: rmsNorm,
      places: normsBefore,
      attention: ({ tensors, counts: { headSize } }, module) => {
        const epsilon = config.positive('rms_norm_eps', 1e-6);
        return {
          queryNorm: tensors.rmsNorm(`${module}.q_norm`, headSize, epsilon),
          keyNorm: tensors.rmsNorm(`${module}.k_norm`, headSize, epsilon),
        };
      },
      attentionBias: biasOfAll,
      feedForward: (parts, module, layer) => {
        if (dense.has(layer) || (layer + 1) % step !== 0) return gatedFeedForward(parts, module);
        return planExperts(parts.tensors, {
          ...counts,
          module: `${module}.mlp`,
          names: { gate: 'gate_proj', up: 'up_proj', down: 'down_proj' },
          normalized: config.boolean('norm_topk_prob', false),
          hiddenSize: parts.hiddenSize,
          width: config.count('moe_intermediate_size'),
          activation: readActivation(config, 'hidden_act', 'silu'),
        });
      },
      keyValueHeads: 4,
      maxPositions: 32768,
      model: ({ counts: { headSize } }) => ({ rotary: planRotary(config, headSize) }),
    });
  },
};
