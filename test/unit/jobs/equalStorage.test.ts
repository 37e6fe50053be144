// Formats whose group sizes are solved for, so that they take the same storage.
import { describe, expect, it } from 'vitest';
import { parseFormat } from '../../../src/formats/index.js';
import { withEqualStorage } from '../../../src/jobs/equalStorage.js';
import { computeStoredSize } from '../../../src/jobs/formatList.js';

const SHAPES = [
  [256, 768],
  [768, 256],
];
const bitsOf = (format: ReturnType<typeof parseFormat>, shapes = SHAPES) => {
  const { bits, elements } = computeStoredSize(format, shapes, 'f16');
  return bits / elements;
};

describe('equal storage', () => {
  it.each([
    // A scale of 16 bits per group, with a zero point, twice, or alone.
    ['fp4', 4.25, 'fp4-e2m1:g64', 4.25],
    ['afp4', 4.25, 'afp4-e2m1:g128', 4.25],
    ['fp4', 4.5, 'fp4-e2m1:g32', 4.5],
    ['nf3', 3.25, 'nf3:g64', 3.25],
  ])('solves for the group of %s at %d bits', (name, target, id, bits) => {
    const format = withEqualStorage(parseFormat(name), target, SHAPES, 'f16');
    expect(format.id).toBe(id);
    expect(bitsOf(format)).toBe(bits);
  });

  it('comes as near as any group size does', () => {
    const [name, target] = ['int4', 4.2];
    const found = withEqualStorage(parseFormat(name), target, SHAPES, 'f16');
    const distance = Math.abs(bitsOf(found) - target);
    expect(distance).toBeLessThan(0.01);
    for (let size = 8; size < 768; size++) {
      const other = parseFormat(`${name}:g${size}`);
      expect(Math.abs(bitsOf(other) - target)).toBeGreaterThanOrEqual(distance - 1e-12);
    }
  });

  it('takes whole rows where even they are more than is wanted', () => {
    expect(withEqualStorage(parseFormat('int4'), 3, SHAPES, 'f16').id).toBe('int4-asym:row');
  });
});
