import type { ActivationFormat } from '../../formats/activations.js';
import type { NumberFormat } from '../../formats/types.js';
import { mergeQuantStep } from '../mergequant/quantizeStep.js';
import { SAMPLES_OPTION, type CalibrationMethod } from '../types.js';

function refuses({ entry, group }: NumberFormat, activations?: ActivationFormat) {
  if (entry.rule.kind !== 'integer' || (group.kind !== 'row' && group.kind !== 'columns')) {
    return 'MergeQuant merges steps of inputs into rows of integers: write int4:row or another intN';
  }
  const { name, scaling } = activations?.entry ?? {};
  if (scaling !== 'static' || !name?.startsWith('int')) {
    return 'MergeQuant chooses static steps of inputs: write /int4-static or /int8-static behind it';
  }
  return undefined;
}

/** MergeQuant: static steps of single inputs, merged into norms and weights (methods, "To §12"). */
export const mergequant: CalibrationMethod = {
  name: 'mergequant',
  label: 'MergeQuant',
  description: 'static steps of single inputs, merged into weights; needs a calibration text',
  source: 'MergeQuant, arXiv 2503.07654',
  reconstructed: true,
  notes: [
    'Reconstructed from the abstract; there is no public code. Its compensation by low-rank adapters is left out.',
    'Each input has a step of its own, which belongs into the norm before and the weights behind. Here inputs are rounded with that step and weights are Q(W·s)/s, which comes to the same; where no norm comes before, the step is applied where inputs are rounded.',
    'An input that is split in n has n times the same codes, as x/n over s/n is x over s: what changes is that the weights which its step is merged into are n times smaller. As many inputs are left out as copies are added, those with the least energy; where the outputs are better without all that, it is left out.',
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
  defaults: { windows: 64, context: 256, published: 'not known', passes: 6 },
  refuses,
  quantize: mergeQuantStep,
};
