import type { TensorReport } from './reports.js';

/** How a tensor's values are stored, for lists: its element type, or "GPTQ 4-bit g128". */
export function nameStorage({ dtype, storage }: Pick<TensorReport, 'dtype' | 'storage'>): string {
  return storage?.label ?? dtype;
}
