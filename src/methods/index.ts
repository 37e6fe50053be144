import { GPTQ } from './entries/gptq.js';
import type { CalibrationMethod } from './types.js';

/** Every method, in the order of menus; a further one is a file in `entries` and a line here. */
export const METHODS: readonly CalibrationMethod[] = Object.freeze([GPTQ]);

/** A method by its name. */
export function findMethod(name: string): CalibrationMethod | undefined {
  return METHODS.find((method) => method.name === name);
}
