import type { AppliedMethod, CalibrationMethod, StepOptions } from './types.js';

/** The steps of a method that its options leave in. */
export function chosenSteps(
  { scale, clip, quantize }: CalibrationMethod,
  options: StepOptions,
): Pick<CalibrationMethod, 'scale' | 'clip' | 'quantize'> {
  const stays = <Step extends { readonly leftOutBy?: string }>(step: Step | undefined) =>
    step?.leftOutBy !== undefined && options[step.leftOutBy] === true ? undefined : step;
  return { scale: stays(scale), clip: stays(clip), quantize };
}

/** Whether a method, as it is applied, sees a calibration text. */
export function seesText({ method, options }: AppliedMethod): boolean {
  const { scale, clip, quantize } = chosenSteps(method, options);
  return scale !== undefined || clip !== undefined || (quantize?.needs ?? 'nothing') !== 'nothing';
}
