import { planRotary } from '../rotary.js';
import { normsBefore, planDecoder } from './decoder.js';
import { planPlainFeedForward, readActivation, type Architecture } from './shared.js';

/** StarCoder2: layer norms, a plain feed-forward part, biases, a window in all layers or in none. */
export const starcoder2: Architecture = {
  modelType: 'starcoder2',
  plan: (config, model) => {
    const bias = config.boolean('use_bias', true);
    return planDecoder(config, model, {
      norm: ({ tensors, hiddenSize }, module) =>
        tensors.layerNorm(module, hiddenSize, config.positive('norm_epsilon', 1e-5)),
      places: normsBefore,
      attention: () => ({ window: config.optional('sliding_window', 'count') ?? 0 }),
      attentionBias: () => ({ inputs: bias, output: bias }),
      feedForward: ({ tensors, hiddenSize }, module) => {
        const width = config.count('intermediate_size');
        return planPlainFeedForward(
          tensors.linear(`${module}.mlp.c_fc`, width, hiddenSize, { bias }),
          readActivation(config, 'hidden_act', 'gelu_pytorch_tanh'),
          tensors.linear(`${module}.mlp.c_proj`, hiddenSize, width, { bias }),
        );
      },
      keyValueHeads: 2,
      tiedByDefault: true,
      maxPositions: 4096,
      model: ({ counts }) => ({ rotary: planRotary(config, counts.headSize) }),
    });
  },
};
