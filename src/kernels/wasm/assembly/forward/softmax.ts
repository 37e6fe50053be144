import { capRow } from './activations';
import { decay } from './exponential';

/** Keys whose f32 sums are added up before they join the total. */
const BATCH: usize = 64 << 4;

/** Writes −Infinity where a query does not see a key. Scores [keys][4], the first for key `from`. */
function mask(scores: usize, from: i32, to: i32, origin: i32, row: i32, window: i32): void {
  for (let key = from; key < to; key++) {
    const p = scores + (<usize>(key - origin) << 4);
    for (let lane = 0; lane < 4; lane++) {
      const query = row + lane;
      if (key > query || (window > 0 && key <= query - window)) {
        store<f32>(p + (<usize>lane << 2), -Infinity);
      }
    }
  }
}

/**
 * Scores of the queries row … row + 3 with keys from … to − 1, [keys][4] → their exponentials less
 * the largest, and a query's sum of them in the lane that it has. Keys are taken four at a time, so
 * there is room for up to three more.
 */
export function softmaxFour(
  scores: usize, from: i32, to: i32, row: i32, window: i32, cap: f32,
): v128 {
  to = from + ((to - from + 3) & ~3);
  const end = scores + (<usize>(to - from) << 4);
  if (cap > 0) capRow(scores, (to - from) << 2, cap);
  if (window > 0) mask(scores, from, min(max(from, row + 4 - window), to), from, row, window);
  mask(scores, min(max(from, row + 1), to), to, from, row, window);
  let top0 = v128.load(scores), top1 = top0, top2 = top0, top3 = top0;
  for (let p = scores; p < end; p += 64) {
    top0 = f32x4.pmax(top0, v128.load(p));
    top1 = f32x4.pmax(top1, v128.load(p, 16));
    top2 = f32x4.pmax(top2, v128.load(p, 32));
    top3 = f32x4.pmax(top3, v128.load(p, 48));
  }
  const top = f32x4.pmax(f32x4.pmax(top0, top1), f32x4.pmax(top2, top3));
  let total = f32x4.splat(0);
  for (let p = scores; p < end; ) {
    const stop = min(p + BATCH, end);
    let sum = f32x4.splat(0);
    for (; p < stop; p += 32) {
      const a = decay(f32x4.sub(v128.load(p), top)), b = decay(f32x4.sub(v128.load(p, 16), top));
      v128.store(p, a);
      v128.store(p, b, 16);
      sum = f32x4.add(sum, f32x4.add(a, b));
    }
    total = f32x4.add(total, sum);
  }
  return total;
}
