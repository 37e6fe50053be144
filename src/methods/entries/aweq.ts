import { describeFactors } from '../scaling.js';
import type { CalibrationMethod } from '../types.js';

const { fround } = Math;

/** √(r_x / r_w), so that both ranges become √(r_x·r_w); 1 where one of them is 0, which nothing can even out. */
function equalizeSpans(activations: Float32Array, weights: Float32Array): Float32Array {
  return activations.map((span, i) => {
    const factor = fround(Math.sqrt(fround(span / weights[i])));
    return factor > 0 && Number.isFinite(factor) ? factor : 1;
  });
}

/** AWEQ: channel equalization of activations and weights (methods 17.1). */
export const aweq: CalibrationMethod = {
  name: 'aweq',
  label: 'AWEQ',
  description: 'equal ranges of activations and weights (reconstructed); needs a calibration text',
  source: 'AWEQ, arXiv 2311.01305',
  reconstructed: true,
  notes: [
    'Reconstructed from the abstract; there is no public code.',
    'Its correction of biases is left out.',
  ],
  options: [],
  defaults: { windows: 64, context: 256, published: 'not known', passes: 1 },
  refuses: () => undefined,
  scale: {
    sites: ['attention', 'attentionOutput', 'feedForward', 'down'],
    async choose(group) {
      const { min, max } = group.statistics;
      const spans = max.map((high, i) => high - min[i]);
      return describeFactors(group, equalizeSpans(spans, await group.weightSpans()), {});
    },
  },
};
