import type { AppliedMethod, CalibrationMethod, MethodOption, StepOptions } from './types.js';

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
  const needs = quantize?.needs ?? 'nothing';
  return scale !== undefined || clip !== undefined || needs !== 'nothing';
}

/** Whether a method needs no more of a text than mean squares of inputs, which a file may say as well. */
export function needsImportance({ method }: AppliedMethod): boolean {
  return method.quantize?.needs === 'importance';
}

/** Of every method that sees a text (SLAC, arXiv 2311.05161: calibrate with sequences as long as the task's). */
export const CONTEXT_OPTION: MethodOption = {
  name: 'context',
  description:
    'tokens of each calibration window, in as many windows as make the same number of tokens',
  default: 0,
  range: [2, 1_000_000],
  isWhole: true,
};

/** Tokens of each calibration window that a method asks for; undefined where it leaves that to others. */
export function contextOf({ options }: AppliedMethod): number | undefined {
  const context = Number(options[CONTEXT_OPTION.name] ?? 0);
  return context > 0 ? context : undefined;
}
