import type { PlacedRounding } from './tasks.js';

/** The same for roundings that come to the same. */
export function roundingKey(rounding: PlacedRounding | undefined): string {
  return JSON.stringify(rounding ?? null);
}
