import type { CalibrationMethod, StepOptions } from './types.js';

/** The steps of a method that its options leave in. */
export function chosenSteps(
  { scale, clip, quantize }: CalibrationMethod,
  options: StepOptions,
): Pick<CalibrationMethod, 'scale' | 'clip' | 'quantize'> {
  const stays = <Step extends { readonly leftOutBy?: string }>(step: Step | undefined) =>
    step?.leftOutBy !== undefined && options[step.leftOutBy] === true ? undefined : step;
  return { scale: stays(scale), clip: stays(clip), quantize };
}
