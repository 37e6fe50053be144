export * from './types.js';
export { FORMAT_CATALOGUE, FORMAT_ALIASES } from './catalogue.js';
export {
  FormatNameError,
  findFormatEntry,
  formatLabel,
  groupingText,
  parseFormat,
  withGrouping,
} from './names.js';
export { bitsPerWeight, storedBits } from './storage.js';
export { roundHalfEven, roundToBF16, roundToF16, saturateF32 } from './float32.js';
