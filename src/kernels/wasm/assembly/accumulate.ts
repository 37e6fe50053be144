import { promoteHigh, squareHigh, squareLow, sumOfLanes } from './lanes';

// The raw sums of a chunk, as kernels/types.ts lays them out: four sums of four f64 lanes, then
// f64 scalars.
const VALUE: usize = 32;
const STEP: usize = 64;
const UNDERFLOW_ERROR: usize = 96;
const MAX_ERROR: usize = 128;
const UNDERFLOW: usize = 136;
const CLIPPED: usize = 144;
const BAD_SCALES: usize = 152;
const ONE_SIGNED: usize = 160;
const NOT_STRADDLING: usize = 168;
const LENGTH: usize = 176;

const CLIPPED_STEP_ERROR: f32 = 0.50001;

export function clearSums(sums: usize): void {
  memory.fill(sums, 0, LENGTH);
}

// @ts-ignore: decorator
@inline
function addTo(at: usize, amount: f64): void {
  store<f64>(at, load<f64>(at) + amount);
}

export function countGroup(sums: usize, badScale: i32, oneSigned: i32, notStraddling: i32): void {
  addTo(sums + BAD_SCALES, <f64>badScale);
  addTo(sums + ONE_SIGNED, <f64>oneSigned);
  addTo(sums + NOT_STRADDLING, <f64>notStraddling);
}

/**
 * Adds one group to the sums. Reference: addWeight.
 * @param x weights; @param y dequantized; @param u errors in steps; @param n how many
 */
export function accumulate(x: usize, y: usize, u: usize, n: i32, sums: usize): void {
  const zero = f32x4.splat(0);
  const limit = f32x4.splat(CLIPPED_STEP_ERROR);
  let error01 = v128.load(sums), error23 = v128.load(sums, 16);
  let value01 = v128.load(sums, VALUE), value23 = v128.load(sums, VALUE + 16);
  let step01 = v128.load(sums, STEP), step23 = v128.load(sums, STEP + 16);
  let under01 = v128.load(sums, UNDERFLOW_ERROR), under23 = v128.load(sums, UNDERFLOW_ERROR + 16);
  let greatestSquare = zero, underflow = zero, clipped = zero;
  const end = x + (<usize>n << 2);
  const wide = x + ((<usize>n >> 2) << 4);
  while (x < wide) {
    const w = v128.load(x), q = v128.load(y), s = v128.load(u);
    const q01 = f64x2.promote_low_f32x4(q), q23 = promoteHigh(q);
    const e01 = f64x2.sub(q01, f64x2.promote_low_f32x4(w));
    const e23 = f64x2.sub(q23, promoteHigh(w));
    const low = f64x2.mul(e01, e01), high = f64x2.mul(e23, e23);
    error01 = f64x2.add(error01, low);
    error23 = f64x2.add(error23, high);
    value01 = f64x2.add(value01, f64x2.mul(q01, q01));
    value23 = f64x2.add(value23, f64x2.mul(q23, q23));
    // NaN (an infinity of a block format minus itself) never wins a pmax as its second operand.
    greatestSquare = f64x2.pmax(f64x2.pmax(greatestSquare, low), high);
    step01 = f64x2.add(step01, squareLow(s));
    step23 = f64x2.add(step23, squareHigh(s));
    const under = v128.andnot(f32x4.eq(q, zero), f32x4.eq(w, zero));
    under01 = f64x2.add(under01, v128.and(low, v128.shuffle<u32>(under, under, 0, 0, 1, 1)));
    under23 = f64x2.add(under23, v128.and(high, v128.shuffle<u32>(under, under, 2, 2, 3, 3)));
    underflow = i32x4.sub(underflow, under);
    clipped = i32x4.sub(clipped, f32x4.gt(f32x4.abs(s), limit));
    x += 16;
    y += 16;
    u += 16;
  }
  v128.store(sums, error01);
  v128.store(sums, error23, 16);
  v128.store(sums, value01, VALUE);
  v128.store(sums, value23, VALUE + 16);
  v128.store(sums, step01, STEP);
  v128.store(sums, step23, STEP + 16);
  v128.store(sums, under01, UNDERFLOW_ERROR);
  v128.store(sums, under23, UNDERFLOW_ERROR + 16);
  let greatest = sqrt(max(f64x2.extract_lane(greatestSquare, 0), f64x2.extract_lane(greatestSquare, 1)));
  let underCount = sumOfLanes(underflow), clippedCount = sumOfLanes(clipped);
  for (let lane = sums; x < end; x += 4, y += 4, u += 4, lane += 8) {
    const w = load<f32>(x), q = load<f32>(y), s = load<f32>(u);
    const error = <f64>q - <f64>w;
    addTo(lane, error * error);
    addTo(lane + VALUE, <f64>q * <f64>q);
    addTo(lane + STEP, <f64>s * <f64>s);
    greatest = abs(error) > greatest ? abs(error) : greatest;
    if (q == 0 && w != 0) {
      addTo(lane + UNDERFLOW_ERROR, error * error);
      underCount++;
    }
    clippedCount += <i32>(abs(s) > CLIPPED_STEP_ERROR);
  }
  store<f64>(sums, max(load<f64>(sums, MAX_ERROR), greatest), MAX_ERROR);
  addTo(sums + UNDERFLOW, <f64>underCount);
  addTo(sums + CLIPPED, <f64>clippedCount);
}
