import { refusesClipping } from '../clipping/clipGroups.js';
import { makeClipStep } from '../clipping/clipStep.js';
import type { CalibrationMethod } from '../types.js';

/**
 * BitDistiller's start point: two-ended clipping (algorithms 3 and 11). Its own quantizers are the formats
 * `anf3-ste` for 3 bits (two scales, n2f3 in its code) and `int2-awq-away`, `int3-awq-away`. Its code
 * searches the ranges of integers with `intN-awq`, which rounds ties to even; here one format does both.
 */
export const bitdistiller: CalibrationMethod = {
  name: 'bitdistiller',
  label: 'BitDistiller clip',
  description: 'clips both ends of each group by themselves; needs a calibration text',
  source: 'BitDistiller, arXiv 2402.10631 (its code)',
  reconstructed: false,
  notes: [
    'The start point of its training only. Published perplexities need training and cannot be compared with.',
  ],
  options: [],
  defaults: {
    windows: 64,
    context: 256,
    published: 'up to 128 documents of the Pile in blocks of 1024 tokens',
    passes: 3,
  },
  refuses: refusesClipping,
  clip: makeClipStep('two-ended'),
};
