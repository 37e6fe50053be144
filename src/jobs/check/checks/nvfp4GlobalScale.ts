import type { Check } from '../check.js';

/** No weight of a trained model is as large; by the other way of storing the scale, most are far smaller. */
const LARGEST_PLAUSIBLE = 1000;

/** Largest value of a code. */
const LARGEST_CODE = 6;

/** One tool divides by the scale of the whole tensor, the other multiplies with it. */
const reciprocal: Check = {
  id: 'nvfp4-global-scale-reciprocal',
  source: 'https://github.com/ggml-org/llama.cpp/pull/21095',
  *find({ weights }) {
    for (const { parts } of weights) {
      const divisor = parts.get('divisor');
      const whole = divisor ?? parts.get('factor');
      const blocks = parts.get('scales')?.examined;
      if (!whole?.examined || !blocks || !(blocks.max > 0)) continue;
      const value = whole.examined.max;
      const factor = divisor ? 1 / value : value;
      const implied = blocks.max * LARGEST_CODE * factor;
      const other = (blocks.max * LARGEST_CODE) / factor;
      if (!(implied > LARGEST_PLAUSIBLE) || !(other < LARGEST_PLAUSIBLE)) continue;
      const { file, name } = whole;
      yield {
        ...{ severity: 'error', file, tensor: name },
        message: `${value.toPrecision(4)} makes weights as large as ${implied.toPrecision(3)}, its reciprocal ${other.toPrecision(3)}: it is stored as the ${divisor ? 'factor of ModelOpt (weight_scale_2)' : 'divisor of compressed-tensors (weight_global_scale)'}`,
      };
    }
  },
};

export const nvfp4Checks: readonly Check[] = [reciprocal];
