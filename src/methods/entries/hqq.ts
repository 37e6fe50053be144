import type { NumberFormat, ScaleDtype } from '../../formats/types.js';
import { hqqStep } from '../hqq/quantizeStep.js';
import type { CalibrationMethod } from '../types.js';

const ZERO_POINT_BITS: Readonly<Record<ScaleDtype, number>> = { f16: 16, bf16: 16, f32: 32 };

function refuses({ entry, group, search }: NumberFormat): string | undefined {
  const { rule } = entry;
  if (rule.kind !== 'integer' || rule.convention !== 'gptq-asym') {
    return 'HQQ finds scale and zero point of integers itself: write intN with a group, as int4:g64';
  }
  if (search !== 'none') return `HQQ searches by itself, "+${search}" cannot be added`;
  if (group.kind === 'tensor') return 'HQQ needs groups of a row or less, not a whole tensor';
  return undefined;
}

/** HQQ: half-quadratic quantization (methods 17.3). */
export const hqq: CalibrationMethod = {
  name: 'hqq',
  label: 'HQQ',
  description: 'improves zero points by weight error alone; needs no calibration text',
  source: 'HQQ, mobiusml.github.io/hqq_blog (its code)',
  reconstructed: false,
  notes: [
    'Zero points stay floats, which cost more bits than those of the format; scales do not change.',
    'Groups run along the inputs of a row (axis 1 of its code), computed in f32 as on a CPU.',
  ],
  options: [],
  defaults: { windows: 0, context: 0, published: 'none', passes: 3 },
  extraBitsPerGroup: ({ entry }, dtype) => ZERO_POINT_BITS[dtype] - entry.extraBitsPerGroup,
  refuses,
  quantize: hqqStep,
};
