import { ALL_MEASURES, type ErrorMeasures } from '../../src/metrics/measures.js';

/** All measures of error, those that a test does not care about 0. */
export function measures(known: Partial<ErrorMeasures>): ErrorMeasures {
  const none = Object.fromEntries(ALL_MEASURES.map((id) => [id, 0]));
  return { ...(none as ErrorMeasures), ...known };
}
