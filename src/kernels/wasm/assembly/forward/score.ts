import { decay, wideExponential } from './exponential';
import { addWide, highestLane, loadPart, promoteHigh, sumOfWideLanes } from './lanes';

// Running sums of a row, as kernels/forwardKernels.ts lays them out: f64 each.
const MAX: usize = 0;
const SUM: usize = 8;
const TARGET: usize = 16;
const TOP: usize = 24;
const DIVERGENCE_MAX: usize = 32;
const DIVERGENCE: usize = 40;
const REVERSE_MAX: usize = 48;
const REVERSE: usize = 56;
const LENGTH: usize = 64;

function largest(p: usize, n: i32): f32 {
  let top0 = f32x4.splat(-Infinity), top1 = top0;
  const end = p + (<usize>n << 2);
  for (; p + 32 <= end; p += 32) {
    top0 = f32x4.pmax(top0, v128.load(p));
    top1 = f32x4.pmax(top1, v128.load(p, 16));
  }
  let top = highestLane(f32x4.pmax(top0, top1));
  for (; p < end; p += 4) {
    const x = load<f32>(p);
    top = x > top ? x : top;
  }
  return top;
}

/** Index of the first float that equals `value`; n where none does. */
function indexOf(p: usize, n: i32, value: f32): i32 {
  const wanted = f32x4.splat(value);
  let i = 0;
  for (; i + 4 <= n; i += 4) {
    if (v128.any_true(f32x4.eq(v128.load(p + (<usize>i << 2)), wanted))) break;
  }
  while (i < n && load<f32>(p + (<usize>i << 2)) != value) i++;
  return i;
}

/** Σ exp(x − top). */
function sumExponentials(p: usize, n: i32, top: f32): f64 {
  const t = f32x4.splat(top);
  const rest = n & 3, wide = p + (<usize>(n & ~3) << 2);
  let total = f64x2.splat(0);
  // Four at a time: what f32 loses in two additions is far below what the logits carry.
  for (; p + 64 <= wide; p += 64) {
    const a = decay(f32x4.sub(v128.load(p), t)), b = decay(f32x4.sub(v128.load(p, 16), t));
    const c = decay(f32x4.sub(v128.load(p, 32), t)), d = decay(f32x4.sub(v128.load(p, 48), t));
    total = addWide(total, f32x4.add(f32x4.add(a, b), f32x4.add(c, d)));
  }
  for (; p < wide; p += 16) total = addWide(total, decay(f32x4.sub(v128.load(p), t)));
  let sum = sumOfWideLanes(total);
  for (let i = 0; i < rest; i++, p += 4) {
    const e = decay(f32x4.splat(load<f32>(p) - top));
    sum += <f64>f32x4.extract_lane(e, 0);
  }
  return sum;
}

/** See `ForwardKernels.score`. Stride in floats. */
export function score(
  logits: usize, stride: i32, rows: i32, columns: i32, firstToken: i32, targets: usize, sums: usize,
): void {
  for (let row = 0; row < rows; row++) {
    const top = largest(logits, columns), before = load<f64>(sums, MAX);
    const max = <f64>top > before ? <f64>top : before;
    if (<f64>top >= before) {
      const token = <f64>(firstToken + indexOf(logits, columns, top));
      const old = load<f64>(sums, TOP);
      store<f64>(sums, <f64>top > before || token < old ? token : old, TOP);
    }
    if (max > -Infinity) {
      let sum = load<f64>(sums, SUM);
      if (max > before) sum *= wideExponential(before - max);
      store<f64>(sums, sum + sumExponentials(logits, columns, <f32>max), SUM);
      store<f64>(sums, max, MAX);
    }
    const target = load<i32>(targets + (<usize>row << 2));
    if (target >= firstToken && target < firstToken + columns) {
      store<f64>(sums, <f64>load<f32>(logits + (<usize>(target - firstToken) << 2)), TARGET);
    }
    logits += <usize>stride << 2;
    sums += LENGTH;
  }
}

/** Σ exp(b − top)·(b − x) + sums over four lanes, 0 where b is −Infinity. */
// @ts-ignore: decorator
@inline
function addDivergence(sums: v128, b: v128, x: v128, top: v128): v128 {
  // A weight is not let vanish, or 0·∞ would hide a token that only the other model excludes.
  const weight = f32x4.pmax(decay(f32x4.sub(b, top)), f32x4.splat(1.17549435e-38));
  const excluded = f32x4.eq(b, f32x4.splat(-Infinity));
  // Neither logit matters there: both become 0.
  b = v128.andnot(b, excluded);
  x = v128.andnot(x, excluded);
  const low = f64x2.sub(f64x2.promote_low_f32x4(b), f64x2.promote_low_f32x4(x));
  const high = f64x2.sub(promoteHigh(b), promoteHigh(x));
  sums = f64x2.add(sums, f64x2.mul(low, f64x2.promote_low_f32x4(weight)));
  return f64x2.add(sums, f64x2.mul(high, promoteHigh(weight)));
}

/** Σ exp(base − top)·(base − logit) of a row. */
function sumDivergence(base: usize, p: usize, n: i32, top: f32): f64 {
  const t = f32x4.splat(top);
  const rest = n & 3, wide = p + (<usize>(n & ~3) << 2);
  let total = f64x2.splat(0);
  for (; p < wide; p += 16, base += 16) {
    total = addDivergence(total, v128.load(base), v128.load(p), t);
  }
  // Lanes that hold nothing are 0 in both, and b − x with them.
  if (rest) total = addDivergence(total, loadPart(base, rest), loadPart(p, rest), t);
  return sumOfWideLanes(total);
}

/** Takes Σ exp(base − max)·(base − logit) of a row into a running sum and the max that it refers to. */
// @ts-ignore: decorator
@inline
function diverges(base: usize, logits: usize, columns: i32, max: f64, sumAt: usize, maxAt: usize): void {
  if (max == -Infinity) return;
  let sum = load<f64>(sumAt);
  // A sum of 0 needs no factor, which may be anything as long as nothing was added.
  if (sum != 0) sum *= wideExponential(load<f64>(maxAt) - max);
  store<f64>(sumAt, sum + sumDivergence(base, logits, columns, <f32>max));
  store<f64>(maxAt, max);
}

/** See `ForwardKernels.diverge`. Strides in floats. */
export function diverge(
  base: usize, baseStride: i32, logits: usize, stride: i32, rows: i32, columns: i32,
  baseSums: usize, sums: usize,
): void {
  for (let row = 0; row < rows; row++) {
    diverges(base, logits, columns, load<f64>(baseSums, MAX), sums + DIVERGENCE, sums + DIVERGENCE_MAX);
    diverges(logits, base, columns, load<f64>(sums, MAX), sums + REVERSE, sums + REVERSE_MAX);
    base += <usize>baseStride << 2;
    logits += <usize>stride << 2;
    baseSums += LENGTH;
    sums += LENGTH;
  }
}
