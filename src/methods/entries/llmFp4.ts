import type { ActivationFormat } from '../../formats/activations.js';
import type { NumberFormat } from '../../formats/types.js';
import { llmFp4Step, splitsOf } from '../llmFp4/quantizeStep.js';
import { SAMPLES_OPTION, type CalibrationMethod } from '../types.js';

function refuses(format: NumberFormat, activations?: ActivationFormat): string | undefined {
  const { group, search } = format;
  if (group.kind !== 'row' || !splitsOf(format)) {
    return 'LLM-FP4 chooses the exponents of floats with one bias per row: write fp4-e2m1:row, or another fpN-eXmY:row';
  }
  if (search !== 'none') return `LLM-FP4 searches by itself, "+${search}" cannot be added`;
  if (!activations) return undefined;
  const { name, scaling } = activations.entry;
  if (scaling === 'token' || !name.startsWith('fp')) {
    return 'LLM-FP4 chooses biases that do not depend on tokens: write /fp4-static, /fp4-shifted, /fp8-static or /fp8-shifted';
  }
  return undefined;
}

/** LLM-FP4: exponents and biases of floats by the error of outputs (algorithms 10). */
export const llmFp4: CalibrationMethod = {
  name: 'llm-fp4',
  label: 'LLM-FP4',
  description: 'chooses how floats split their bits, and their biases; needs a calibration text',
  source: 'LLM-FP4, arXiv 2310.16836 (its code)',
  reconstructed: false,
  notes: [
    'The format says how many bits a weight has; which split into exponent and fraction is chosen for each linear layer.',
    'By the paper’s formula. The released code computes 2^−m with integers once its search is over, and so has one magnitude more than its bits can hold; at 8 bits of activations it fails or counts ten bits. These are not imitated.',
  ],
  options: [
    {
      name: SAMPLES_OPTION,
      description: 'rows of calibration inputs that errors are measured on, at least',
      default: 512,
      range: [1, 65536],
      isWhole: true,
    },
  ],
  defaults: {
    windows: 64,
    context: 256,
    published: '32 samples of 1024 tokens of C4',
    passes: 70,
  },
  refuses,
  quantize: llmFp4Step,
};
