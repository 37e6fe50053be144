import type { NumberFormat } from '../../formats/types.js';
import { CPU_FORMATS } from './cpuFormats.js';

export { isDecodedOnGpu } from './elementTypes.js';

/** Whether a device quantizes to a format. */
export function isQuantizedOnGpu({ entry }: NumberFormat): boolean {
  return !(entry.name in CPU_FORMATS);
}
