// Exponent biases of small floats against the paper's formulas, written out.
import { describe, expect, it } from 'vitest';
import { ACTIVATION_CATALOGUE } from '../../../src/formats/index.js';
import {
  biasOf,
  preShiftedScales,
  scaleOfBias,
  scalesOfChannels,
} from '../../../src/formats/preShifted.js';

const shifted = ACTIVATION_CATALOGUE.filter(({ scaling }) => scaling === 'shifted');

describe.each(shifted)('$name', (format) => {
  const { levels, exponentBits } = format;

  it('has the bias of the formula, and its scale puts the magnitude on the largest level', () => {
    for (const magnitude of [1, 3.7, 1e-6, 12345]) {
      const bias =
        2 ** exponentBits - Math.log2(magnitude) + Math.log2(2 - 2 ** -levels.fractionBits) - 1;
      expect(biasOf(format, magnitude)).toBeCloseTo(bias, 12);
      expect(scaleOfBias(format, bias) * levels.largest).toBeCloseTo(magnitude, 2);
      expect((scaleOfBias(format, bias) * levels.largest) / magnitude).toBeCloseTo(1, 6);
    }
  });

  it('shifts channels by whole powers of two that its exponent can hold', () => {
    const magnitudes = Float32Array.from([8, 8.1, 5, 4, 1, 0.01, 0, 1e-30]);
    const scales = scalesOfChannels(format, magnitudes);
    const largest = Math.max(...scales);
    expect((largest * levels.largest) / 8.1).toBeCloseTo(1, 6);
    const shifts = [...scales].map((scale) => Math.log2(largest / scale));
    for (const shift of shifts) expect(shift).toBe(Math.round(shift));
    expect(Math.min(...shifts)).toBe(0);
    expect(Math.max(...shifts)).toBe(2 ** exponentBits - 1);
    // Biases are rounded by themselves, so the shift is within half a power of two of each on both sides.
    magnitudes.forEach((magnitude, i) => {
      const wanted = Math.log2(8.1 / magnitude);
      if (wanted < 2 ** exponentBits - 1) expect(Math.abs(shifts[i] - wanted)).toBeLessThan(1);
    });
  });

  it('is nothing of nothing', () => {
    expect(scalesOfChannels(format, new Float32Array(3))).toEqual(new Float32Array(3));
  });
});

it('clamps what a larger bias of the tensor leaves no room for', () => {
  const format = shifted.find(({ name }) => name === 'fp4-shifted')!;
  // rhe(2.5) = 2: biases become 2, 2, 3, 5, 5 less 2 plus 2.5.
  const scales = preShiftedScales(format, [0.2, 2.4, 2.6, 5.4, 77], 2.5);
  expect([...scales]).toEqual([2.5, 2.5, 3.5, 5.5, 5.5].map((bias) => scaleOfBias(format, bias)));
});
