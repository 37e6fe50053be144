import { balanceRanges, describeFactors } from '../scaling.js';
import type { CalibrationMethod } from '../types.js';

/** SmoothQuant: moves range from activations to weights by a fixed exponent. */
export const smoothquant: CalibrationMethod = {
  name: 'smoothquant',
  label: 'SmoothQuant',
  description: 'moves range from activations to weights; needs a calibration text',
  source: 'SmoothQuant, arXiv 2211.10438 (its code)',
  reconstructed: false,
  notes: ['Scales what follows a norm only: queries, keys and values, gate and up.'],
  options: [
    {
      name: 'alpha',
      description: 'share of the range that moves to the weights',
      default: 0.5,
      range: [0, 1],
    },
  ],
  defaults: {
    windows: 64,
    context: 256,
    published: '512 samples of 512 tokens of the Pile',
    passes: 1,
  },
  refuses: () => undefined,
  scale: {
    sites: ['attention', 'feedForward'],
    async choose(group, { alpha }) {
      const exponent = Number(alpha);
      const weights = await group.weightMaxAbs();
      const factors = balanceRanges(group.statistics.maxAbs, weights, exponent);
      return describeFactors(group, factors, { alpha: exponent });
    },
  },
};
