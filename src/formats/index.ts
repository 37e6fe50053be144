export * from './types.js';
export { fillsGroups, fitsWidth, formatForWidth } from './fallback.js';
export { FORMAT_ALIASES, FORMAT_CATALOGUE, findFormatEntry } from './catalogue.js';
export {
  FormatNameError,
  allowsSearch,
  formatLabel,
  formatGrouping,
  makeFormat,
  parseFormat,
  withGrouping,
} from './names.js';
export {
  ACTIVATION_CATALOGUE,
  activationLabel,
  parseActivationFormat,
  type ActivationEntry,
  type ActivationFormat,
  type ActivationScaling,
} from './activations.js';
export { needsTensorRange, ruleProperties, type RuleProperties } from './rules.js';
export { computeBitsPerWeight, countGroups, countStoredBits } from './storage.js';
export { roundHalfEven, roundToBF16, roundToF16, saturateF32 } from './float32.js';
