import { roundToBF16, roundToF16 } from '../../formats/float32.js';
import { findMinifloatStep } from '../../formats/grid.js';
import type { Minifloat, ScaleDtype } from '../../formats/types.js';
import { f16Bits } from './ggml/float32.js';
import type { GroupQuantizer } from './groupQuantizer.js';

const F16: Minifloat = { fractionBits: 10, minExponent: -14, largest: 65504, ties: 'even' };
const BF16: Minifloat = {
  fractionBits: 7,
  minExponent: -126,
  largest: (2 - 2 ** -7) * 2 ** 127,
  ties: 'even',
};

const pattern = new DataView(new ArrayBuffer(4));
function f32Bits(value: number): number {
  pattern.setFloat32(0, value);
  return pattern.getUint32(0);
}

/** A plain cast as a quantizer without parameters; saturates instead of giving infinity. */
export function makeCastQuantizer(dtype: ScaleDtype): GroupQuantizer {
  if (dtype === 'f32') {
    return { scales: [], quantize: (value) => ({ value, stepError: 0 }), code: f32Bits };
  }
  const [format, round] = dtype === 'f16' ? [F16, roundToF16] : [BF16, roundToBF16];
  return {
    scales: [],
    quantize(weight) {
      const value = round(weight);
      const error = Math.fround(weight - value);
      return { value, stepError: Math.fround(error / findMinifloatStep(format, weight)) };
    },
    // BF16 is the upper half of an F32.
    code: (weight) => (dtype === 'f16' ? f16Bits(round(weight)) : f32Bits(round(weight)) >>> 16),
  };
}
