import type { Check } from '../check.js';
import { codeRangeChecks } from './codeRanges.js';
import { equalTensorChecks } from './equalTensors.js';
import { gptqZeroChecks } from './gptqZeros.js';
import { ignoreListChecks } from './ignoreList.js';
import { mxfp4Checks } from './mxfp4ScaleRule.js';
import { nvfp4Checks } from './nvfp4GlobalScale.js';
import { packingChecks } from './packing.js';
import { partChecks } from './parts.js';
import { scaleChecks } from './scales.js';
import { valueChecks } from './values.js';

/** Everything that is looked for. A further finding: an entry of one of these, or a file and a line here. */
export const CHECKS: readonly Check[] = Object.freeze([
  ...partChecks,
  ...gptqZeroChecks,
  ...scaleChecks,
  ...nvfp4Checks,
  ...packingChecks,
  ...codeRangeChecks,
  ...mxfp4Checks,
  ...ignoreListChecks,
  ...valueChecks,
  ...equalTensorChecks,
]);
