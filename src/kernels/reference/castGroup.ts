import { roundToBF16, roundToF16 } from '../../formats/float32.js';
import { minifloatStep } from '../../formats/grid.js';
import type { Minifloat, ScaleDtype } from '../../formats/types.js';
import type { GroupQuantizer } from './groupQuantizer.js';

const F16: Minifloat = { fractionBits: 10, minExponent: -14, largest: 65504, ties: 'even' };
const BF16: Minifloat = {
  fractionBits: 7,
  minExponent: -126,
  largest: (2 - 2 ** -7) * 2 ** 127,
  ties: 'even',
};

/** A plain cast as a quantizer without parameters; saturates instead of giving infinity. */
export function castGroup(dtype: ScaleDtype): GroupQuantizer {
  if (dtype === 'f32') return { scales: [], quantize: (value) => ({ value, stepError: 0 }) };
  const [format, round] = dtype === 'f16' ? [F16, roundToF16] : [BF16, roundToBF16];
  return {
    scales: [],
    quantize(weight) {
      const value = round(weight);
      const error = Math.fround(weight - value);
      return { value, stepError: Math.fround(error / minifloatStep(format, weight)) };
    },
  };
}
