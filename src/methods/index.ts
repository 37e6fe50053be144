import { aqas } from './entries/aqas.js';
import { aweq } from './entries/aweq.js';
import { awq } from './entries/awq.js';
import { bitdistiller } from './entries/bitdistiller.js';
import { GPTQ } from './entries/gptq.js';
import { llmFp4 } from './entries/llmFp4.js';
import { gwq } from './entries/gwq.js';
import { hqq } from './entries/hqq.js';
import { imatrix } from './entries/imatrix.js';
import { mergequant } from './entries/mergequant.js';
import { smoothquant } from './entries/smoothquant.js';
import { VPTQ } from './entries/vptq.js';
import type { CalibrationMethod } from './types.js';

/** Every method, in the order of menus; a further one is a file in `entries` and a line here. */
export const METHODS: readonly CalibrationMethod[] = Object.freeze([
  GPTQ,
  awq,
  bitdistiller,
  smoothquant,
  aqas,
  aweq,
  llmFp4,
  mergequant,
  gwq,
  hqq,
  imatrix,
  VPTQ,
]);

/** A method by its name. */
export function findMethod(name: string): CalibrationMethod | undefined {
  return METHODS.find((method) => method.name === name);
}
