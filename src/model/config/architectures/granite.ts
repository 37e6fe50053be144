import { planRotary } from '../rotary.js';
import { biasOfAll, normsBefore, planDecoder, rmsNorm } from './decoder.js';
import type { Architecture } from './shared.js';

/** Granite: Llama with factors on embeddings, scores, what is added, and logits. */
export const granite: Architecture = {
  modelType: 'granite',
  plan: (config, model) =>
    planDecoder(config, model, {
      norm: rmsNorm,
      places: (norm) => ({
        ...normsBefore(norm),
        branchScale: config.positive('residual_multiplier', 1),
      }),
      attention: () => ({ scale: config.positive('attention_multiplier', 1) }),
      attentionBias: biasOfAll,
      maxPositions: 2048,
      embeddingScale: () => config.positive('embedding_multiplier', 1),
      model: ({ counts }) => {
        const divisor = config.positive('logits_scaling', 1);
        const logitScale = 1 / divisor;
        if (!Number.isFinite(Math.fround(logitScale)) || Math.fround(logitScale) === 0) {
          config.fail(`"logits_scaling" ${divisor} leaves no logits`);
        }
        return { rotary: planRotary(config, counts.headSize), logitScale };
      },
    }),
};
