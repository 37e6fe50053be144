import { multiplyAdd } from './lanes';

const LOG2E: f32 = 1.44269504;
// ln 2 in two parts; the first has few enough bits that its multiples are exact.
const LN2_HIGH: f32 = 0.693359375;
const LN2_LOW: f32 = -2.12194440e-4;
/** 1.5·2²³: adding it rounds to an integer, which then lies in the lowest bits. */
const ROUNDER: f32 = 12582912;
/** Just below ln of the largest f32. */
const TOP: f32 = 88.72283;
/** Just above ln of the smallest normal f32. */
const BOTTOM: f32 = -87.33654;

/**
 * eˣ of four lanes ≤ 0 (or little above) within 2 ulp. Below the smallest normal f32 it is 0; NaN
 * stays NaN. Polynomial of degree 6 on |r| ≤ ln(2)/2, Chebyshev fit.
 */
// @ts-ignore: decorator
@inline
export function decay(x: v128): v128 {
  const shifted = multiplyAdd(x, f32x4.splat(LOG2E), f32x4.splat(ROUNDER));
  const n = f32x4.sub(shifted, f32x4.splat(ROUNDER));
  let r = multiplyAdd(n, f32x4.splat(-LN2_HIGH), x);
  r = multiplyAdd(n, f32x4.splat(-LN2_LOW), r);
  let p = multiplyAdd(r, f32x4.splat(0.0013933643931522965), f32x4.splat(0.008363175205886364));
  p = multiplyAdd(p, r, f32x4.splat(0.04166646674275398));
  p = multiplyAdd(p, r, f32x4.splat(0.16666576266288757));
  p = multiplyAdd(p, r, f32x4.splat(0.5));
  p = multiplyAdd(f32x4.mul(r, r), p, r);
  p = f32x4.add(p, f32x4.splat(1));
  p = i32x4.add(p, i32x4.shl(shifted, 23));
  return v128.andnot(p, f32x4.lt(x, f32x4.splat(BOTTOM)));
}

/** eˣ of four lanes within 2 ulp, {@link decay} for any x: above the largest f32 it stays there. */
// @ts-ignore: decorator
@inline
function exponential(x: v128): v128 {
  return decay(f32x4.pmin(x, f32x4.splat(TOP)));
}

/** tanh of four lanes, absolute error below 2e-7, small values relative to themselves. */
// @ts-ignore: decorator
@inline
export function hyperbolicTangent(x: v128): v128 {
  const one = f32x4.splat(1);
  const size = f32x4.abs(x);
  const e = exponential(f32x4.add(size, size));
  const large = f32x4.sub(one, f32x4.div(f32x4.splat(2), f32x4.add(e, one)));
  const square = f32x4.mul(x, x);
  let p = multiplyAdd(square, f32x4.splat(0.01799921877682209), f32x4.splat(-0.05339105427265167));
  p = multiplyAdd(p, square, f32x4.splat(0.1333051323890686));
  p = multiplyAdd(p, square, f32x4.splat(-0.3333331048488617));
  const small = multiplyAdd(f32x4.mul(p, square), size, size);
  const result = v128.bitselect(small, large, f32x4.lt(size, f32x4.splat(0.5)));
  return v128.bitselect(x, result, i32x4.splat(0x80000000));
}

/**
 * The part of a normal distribution beyond a ≥ 0, 1 − Φ(a) = ½·erfc(a/√2): absolute error below
 * 1e-7. It is e^(−a²/2)·P((a−4)/(a+4))/(a+4), P a Chebyshev fit.
 */
// @ts-ignore: decorator
@inline
export function normalTail(a: v128): v128 {
  const t = f32x4.div(f32x4.splat(1), f32x4.add(a, f32x4.splat(4)));
  const s = multiplyAdd(t, f32x4.splat(-8), f32x4.splat(1));
  let p = multiplyAdd(s, f32x4.splat(-0.00015732056635897607), f32x4.splat(0.0001293256791541353));
  p = multiplyAdd(p, s, f32x4.splat(0.0015637868782505393));
  p = multiplyAdd(p, s, f32x4.splat(-0.003476167796179652));
  p = multiplyAdd(p, s, f32x4.splat(-0.007512231357395649));
  p = multiplyAdd(p, s, f32x4.splat(0.06039529666304588));
  p = multiplyAdd(p, s, f32x4.splat(-0.18652671575546265));
  p = multiplyAdd(p, s, f32x4.splat(0.3871375620365143));
  p = multiplyAdd(p, s, f32x4.splat(-0.6078963875770569));
  p = multiplyAdd(p, s, f32x4.splat(0.7552851438522339));
  const e = decay(f32x4.mul(f32x4.mul(a, a), f32x4.splat(-0.5)));
  return f32x4.mul(e, f32x4.mul(p, t));
}

/** 1/(1 + e⁻ˣ) of four lanes; never overflows. */
// @ts-ignore: decorator
@inline
export function sigmoid(x: v128): v128 {
  const one = f32x4.splat(1);
  const e = decay(f32x4.neg(f32x4.abs(x)));
  const above = f32x4.lt(x, f32x4.splat(0));
  return f32x4.div(v128.bitselect(e, one, above), f32x4.add(e, one));
}

/** eˣ in f64 for x ≤ 0, relative error below 1e-15; 0 below −700. */
export function wideExponential(x: f64): f64 {
  if (!(x >= -700)) return x < 0 ? 0 : x;
  const n = nearest(x * 1.4426950408889634);
  const r = x - n * 0.693147180369123816490 - n * 1.90821492927058770002e-10;
  let p: f64 = 1;
  for (let i: f64 = 14; i > 0; i--) p = 1 + (p * r) / i;
  return p * reinterpret<f64>((<i64>n + 1023) << 52);
}
