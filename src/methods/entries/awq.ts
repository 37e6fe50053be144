import { makeClipStep } from '../clipping/clipStep.js';
import { refusesClipping } from '../clipping/clipGroups.js';
import {
  describeFactors,
  normalizeFactors,
  power,
  searchFactors,
  type FactorCandidate,
} from '../scaling.js';
import type { CalibrationMethod, ScaleStep, ScalingGroup } from '../types.js';

const { fround } = Math;

/** Exponents 0, 0.05 … 0.95; 1 is never tried. */
const RATIOS = Array.from({ length: 20 }, (_, i) => i / 20);
/** Factors are at least this before they are normalized; AutoAWQ adds it to what it divides by, too. */
const SMALLEST = fround(1e-4);

/** mean|x|^r, and with `weights` (AutoAWQ's duo scaling) over their mean relative size^(1−r); f32. */
function factorsOf(inputs: Float32Array, ratio: number, weights?: Float32Array): Float32Array {
  const factors = inputs.map((mean, i) => {
    const factor = power(mean, ratio);
    if (!weights) return Math.max(factor, SMALLEST);
    return Math.max(fround(factor / fround(power(weights[i], 1 - ratio) + SMALLEST)), SMALLEST);
  });
  return normalizeFactors(factors);
}

async function candidatesOf(group: ScalingGroup, duo: boolean): Promise<FactorCandidate[]> {
  const weights = duo ? await group.weightMeanRelative() : undefined;
  const { meanAbs } = group.statistics;
  return RATIOS.map((exponent) => ({ exponent, factors: factorsOf(meanAbs, exponent, weights) }));
}

const scale: ScaleStep = {
  leftOutBy: 'no-scale',
  sites: ['attention', 'attentionOutput', 'feedForward', 'down'],
  async choose(group, options, { signal }) {
    const module = group.site === 'attention' || group.site === 'feedForward';
    const judgedBy = module ? 'module' : 'linears';
    const candidates = await candidatesOf(group, options.duo === true);
    const { exponent, factors, loss } = await searchFactors(group, judgedBy, candidates, signal);
    return describeFactors(group, factors, { ratio: exponent, loss });
  },
};

/** AWQ: activation-aware weight quantization (algorithms 8 and 3). */
export const awq: CalibrationMethod = {
  name: 'awq',
  label: 'AWQ',
  description: 'scales input channels by activation size, then clips; needs a calibration text',
  source: 'AWQ, arXiv 2306.00978 (llm-awq code)',
  reconstructed: false,
  notes: [
    'Published numbers are of int3-awq and int4-awq; other formats take the place of that quantizer in both searches.',
  ],
  options: [
    { name: 'no-scale', description: 'leave out the search for scales', default: false },
    { name: 'no-clip', description: 'leave out the search for clip ranges', default: false },
    { name: 'duo', description: "weigh in the weights' sizes, as AutoAWQ does", default: false },
  ],
  defaults: {
    windows: 64,
    context: 256,
    published: '128 samples of 512 tokens of the Pile',
    passes: 11,
  },
  refuses: refusesClipping,
  scale,
  clip: makeClipStep('symmetric', 'no-clip'),
};
