import { balanceRanges, describeFactors, normalizeFactors, searchFactors } from '../scaling.js';
import type { CalibrationMethod } from '../types.js';

/** 0, 0.05 … 1. */
const ALPHAS = Array.from({ length: 21 }, (_, i) => i / 20);

/** AQAS: factors that serve quantized weights and quantized activations together (algorithms 6.3). */
export const aqas: CalibrationMethod = {
  name: 'aqas',
  label: 'AQAS',
  description: 'scales for quantized weights and activations together; needs a calibration text',
  source: 'AQAS, arXiv 2311.05161',
  reconstructed: true,
  notes: [
    'The objective is the paper’s; candidates and their grid are our own, as there is no public code.',
    'The best factors of the grid are taken, also where no factors at all would serve a little better.',
  ],
  options: [],
  defaults: {
    windows: 16,
    context: 256,
    published: 'not known',
    passes: 16,
  },
  refuses: () => undefined,
  scale: {
    sites: ['attention', 'feedForward', 'down'],
    async choose(group, _options, { signal }) {
      const weights = await group.weightMaxAbs();
      const { maxAbs } = group.statistics;
      const candidates = ALPHAS.map((exponent) => ({
        exponent,
        factors: normalizeFactors(balanceRanges(maxAbs, weights, exponent)),
      }));
      const lossUnscaled = await group.loss('linears');
      const best = await searchFactors(group, 'linears', candidates, signal);
      const { exponent, factors, loss } = best;
      return describeFactors(group, factors, { alpha: exponent, loss, lossUnscaled });
    },
  },
};
