import { planRotary } from '../rotary.js';
import { normsBefore, planDecoder, rmsNorm } from './decoder.js';
import { fusedExperts, planExperts, readExpertCounts } from './experts.js';
import { readActivation, type Architecture } from './shared.js';

/** Mixtral: Mistral with experts in the place of every feed-forward part. */
export const mixtral: Architecture = {
  modelType: 'mixtral',
  plan: (config, model) => {
    const counts = readExpertCounts(config);
    return planDecoder(config, model, {
      norm: (parts, module) => rmsNorm(parts, module, 1e-5),
      places: normsBefore,
      attention: () => ({ window: config.optional('sliding_window', 'count') ?? 0 }),
      attentionBias: () => ({ inputs: false, output: false }),
      feedForward: ({ tensors, hiddenSize }, module) => {
        const fused = tensors.has(fusedExperts(`${module}.mlp`));
        return planExperts(tensors, {
          ...counts,
          module: fused ? `${module}.mlp` : `${module}.block_sparse_moe`,
          names: { gate: 'w1', up: 'w3', down: 'w2' },
          normalized: true,
          hiddenSize,
          width: config.count('intermediate_size'),
          activation: readActivation(config, 'hidden_act', 'silu'),
        });
      },
      keyValueHeads: 8,
      maxPositions: 131072,
      model: ({ counts: { headSize } }) => ({
        rotary: planRotary(config, headSize, { defaultTheta: 1e6 }),
      }),
    });
  },
};
