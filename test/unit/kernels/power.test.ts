import fc from 'fast-check';
import { expect, it } from 'vitest';
import { powerTwoPointFour } from '../../../src/kernels/reference/power.js';

it('is |x|^2.4 within a relative error of 1e-5', () => {
  fc.assert(
    fc.property(fc.double({ min: 1e-14, max: 1e14, noNaN: true }), fc.boolean(), (x, negative) => {
      const single = Math.fround(negative ? -x : x);
      const exact = Math.abs(single) ** 2.4;
      expect(Math.abs(powerTwoPointFour(single) / exact - 1)).toBeLessThan(1e-5);
    }),
    { numRuns: 2000 },
  );
  expect([0, -0, 1e-30].map(powerTwoPointFour)).toEqual([0, 0, 0]);
  expect(powerTwoPointFour(Infinity)).toBe(Infinity);
  expect(powerTwoPointFour(1)).toBeCloseTo(1, 5);
});
