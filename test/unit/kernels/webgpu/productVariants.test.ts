import { describe, expect, it } from 'vitest';
import {
  DEFAULT_PRODUCTS,
  PRODUCT_VARIANTS,
  pickProducts,
} from '../../../../src/kernels/webgpu/forward/productVariants.js';

describe('a choice of products', () => {
  const [small, large, smallShared, largeShared] = PRODUCT_VARIANTS;
  const pick = (...seconds: readonly number[]) =>
    pickProducts(seconds.map((each, i) => ({ variant: PRODUCT_VARIANTS[i], seconds: each })));

  it('is the fastest of all, and the fastest of small tiles', () => {
    expect(pick(2, 1, 1.5, 0.5)).toEqual({ few: smallShared, many: largeShared });
    expect(pick(2, 3, 2.5, 4)).toEqual({ few: small, many: small });
    expect(pick(2, 1, 0.5, 0.8)).toEqual({ few: smallShared, many: smallShared });
  });

  it('is the default where others are hardly faster or were not measured', () => {
    expect(pick(1, 1, 0.97, 0.96)).toEqual(DEFAULT_PRODUCTS);
    expect(pick(2, 1)).toEqual(DEFAULT_PRODUCTS);
    expect(pick(2)).toEqual({ few: small, many: small });
    expect(pick()).toEqual({ few: small, many: large });
  });
});
