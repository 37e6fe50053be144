import { needsTensorRange } from '../../formats/rules.js';
import type { NumberFormat } from '../../formats/types.js';
import { countKept, gwqStep, KEPT_OPTION } from '../gwq/quantizeStep.js';
import type { CalibrationMethod } from '../types.js';

/** A kept weight in F16, and its place in its tensor's row, in 16 bits. */
const BITS_PER_KEPT = 16 + 16;

function refuses(format: NumberFormat): string | undefined {
  const { entry, group, search } = format;
  const { kind } = entry.rule;
  if (kind === 'cast')
    return `${entry.label} has no groups that kept weights could be taken out of`;
  if (kind === 'ggml' || kind === 'block-choice') {
    return `GWQ takes weights out of groups with a scale, but ${entry.label} fits a whole block at once`;
  }
  if (search !== 'none') return `GWQ takes scales from extremes, "+${search}" cannot be added`;
  if (group.kind === 'tensor' || needsTensorRange(format)) {
    return 'GWQ needs scales of single groups, not one for a whole tensor';
  }
  return undefined;
}

/** GWQ (arXiv 2411.00850): weights with large gradients are kept, the others rounded to nearest. */
export const gwq: CalibrationMethod = {
  name: 'gwq',
  label: 'GWQ',
  description:
    'keeps the weights with the largest gradients in F16, and rounds the others to nearest',
  source: 'arXiv 2411.00850 (abstract)',
  reconstructed: true,
  notes: [
    'Reconstructed from the abstract. In each tensor 1 % of the weights stay, in F16 with 16 bits for the place of each; scales are those of the others.',
    'Gradients are of the mean loss on the calibration text, of the whole model at once: for models of blocks as Llama’s, of up to 128 million weights.',
  ],
  options: [
    {
      name: KEPT_OPTION,
      description: 'weights of a hundred that stay in F16',
      default: 1,
      range: [0, 50],
    },
  ],
  defaults: {
    windows: 8,
    context: 256,
    published: 'one sequence (2,048 tokens, as we take it)',
    passes: 4,
  },
  extraBits: (shape, options) => {
    const elements = shape.reduce((product, size) => product * size, 1);
    return countKept(elements, Number(options[KEPT_OPTION])) * BITS_PER_KEPT;
  },
  refuses,
  quantize: gwqStep,
};
