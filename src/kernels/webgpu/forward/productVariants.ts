import type { DeviceLimits } from '../adapter.js';

/** A way to compute products. All add in the same order and come to the same sums. */
export interface ProductVariant {
  /** Rows and outputs of a tile, which is what a workgroup computes. */
  readonly tile: 64 | 128;
  /** Threads pass rows to one another instead of reading them from workgroup memory each. */
  readonly subgroups: boolean;
}

/** Which variants are taken. */
export interface ProductChoice {
  /** Where large tiles would not keep a device busy. */
  readonly few: ProductVariant;
  /** Where there is work for many large tiles. */
  readonly many: ProductVariant;
}

const SMALL: ProductVariant = { tile: 64, subgroups: false };
const LARGE: ProductVariant = { tile: 128, subgroups: false };

/** All of them; the first two run on every device. */
export const PRODUCT_VARIANTS: readonly ProductVariant[] = [
  SMALL,
  LARGE,
  { tile: 64, subgroups: true },
  { tile: 128, subgroups: true },
];

/** What is taken where nothing was measured. */
export const DEFAULT_PRODUCTS: ProductChoice = { few: SMALL, many: LARGE };

/** Threads side by side that compute the same rows of a tile. */
const THREADS_OF_ROWS = 16;

/** How many threads pass rows to one another; 0: the device has no subgroups that could. */
export function threadsThatShare({ leastSubgroup }: DeviceLimits): number {
  return leastSubgroup < 2 ? 0 : Math.min(leastSubgroup, THREADS_OF_ROWS);
}

/** Variants that a device can run. */
export function variantsOf(limits: DeviceLimits): readonly ProductVariant[] {
  return PRODUCT_VARIANTS.filter(({ subgroups }) => !subgroups || threadsThatShare(limits) > 0);
}

/** A variant, and what a large product took. */
export interface MeasuredVariant {
  readonly variant: ProductVariant;
  readonly seconds: number;
}

/** Less than this is chance: the default stays. */
const CLEARLY_LESS = 0.95;

/** The fastest variants of those that were measured. */
export function pickProducts(measured: readonly MeasuredVariant[]): ProductChoice {
  const secondsOf = (variant: ProductVariant) =>
    measured.find((each) => each.variant === variant)?.seconds ?? Infinity;
  const fastest = (first: ProductVariant, others: readonly MeasuredVariant[]) =>
    others.reduce(
      (best, { variant, seconds }) =>
        seconds < secondsOf(best) * (best === first ? CLEARLY_LESS : 1) ? variant : best,
      first,
    );
  return {
    few: fastest(
      SMALL,
      measured.filter(({ variant }) => variant.tile === SMALL.tile),
    ),
    many: fastest(LARGE, measured),
  };
}
