/** The nearest centroid of one vector. */
function nearestOne(
  vector: usize, step: usize, length: i32, codebook: usize, centroids: i32,
): i32 {
  let least: f32 = Infinity, place = 0;
  for (let centroid = 0; centroid < centroids; centroid++) {
    let distance: f32 = 0, from = vector;
    for (let u = 0; u < length; u++, from += step, codebook += 4) {
      const difference = load<f32>(from) - load<f32>(codebook);
      distance += difference * difference;
    }
    if (distance < least) {
      least = distance;
      place = centroid;
    }
  }
  return place;
}

/** (x − c)², c in all lanes. */
// @ts-ignore: decorator
@inline
function squares(x: v128, c: v128): v128 {
  const difference = f32x4.sub(x, c);
  return f32x4.mul(difference, difference);
}

/** The nearest centroids of eight vectors of any length. */
function nearestEight(
  vectors: usize, step: usize, length: i32, codebook: usize, centroids: i32, target: usize,
): void {
  let leastA = f32x4.splat(Infinity), leastB = leastA;
  let placesA = i32x4.splat(0), placesB = placesA;
  for (let centroid = 0; centroid < centroids; centroid++) {
    let a = f32x4.splat(0), b = a, from = vectors;
    for (let u = 0; u < length; u++, from += step, codebook += 4) {
      const c = v128.load32_splat(codebook);
      a = f32x4.add(a, squares(v128.load(from), c));
      b = f32x4.add(b, squares(v128.load(from, 16), c));
    }
    const place = i32x4.splat(centroid);
    placesA = v128.bitselect(place, placesA, f32x4.lt(a, leastA));
    placesB = v128.bitselect(place, placesB, f32x4.lt(b, leastB));
    leastA = f32x4.pmin(leastA, a);
    leastB = f32x4.pmin(leastB, b);
  }
  v128.store(target, placesA);
  v128.store(target, placesB, 16);
}

/** The same of vectors of four components, which stay in registers. */
function nearestEightOfFour(
  vectors: usize, step: usize, codebook: usize, centroids: i32, target: usize,
): void {
  const second = vectors + step, third = second + step, fourth = third + step;
  const a0 = v128.load(vectors), b0 = v128.load(vectors, 16);
  const a1 = v128.load(second), b1 = v128.load(second, 16);
  const a2 = v128.load(third), b2 = v128.load(third, 16);
  const a3 = v128.load(fourth), b3 = v128.load(fourth, 16);
  let leastA = f32x4.splat(Infinity), leastB = leastA;
  let placesA = i32x4.splat(0), placesB = placesA;
  for (let centroid = 0; centroid < centroids; centroid++, codebook += 16) {
    let c = v128.load32_splat(codebook);
    let a = squares(a0, c), b = squares(b0, c);
    c = v128.load32_splat(codebook, 4);
    a = f32x4.add(a, squares(a1, c));
    b = f32x4.add(b, squares(b1, c));
    c = v128.load32_splat(codebook, 8);
    a = f32x4.add(a, squares(a2, c));
    b = f32x4.add(b, squares(b2, c));
    c = v128.load32_splat(codebook, 12);
    a = f32x4.add(a, squares(a3, c));
    b = f32x4.add(b, squares(b3, c));
    const place = i32x4.splat(centroid);
    placesA = v128.bitselect(place, placesA, f32x4.lt(a, leastA));
    placesB = v128.bitselect(place, placesB, f32x4.lt(b, leastB));
    leastA = f32x4.pmin(leastA, a);
    leastB = f32x4.pmin(leastB, b);
  }
  v128.store(target, placesA);
  v128.store(target, placesB, 16);
}

/** See `CalibrationKernels.findNearest`. Nothing is fused, so that both builds give the same places. */
export function findNearest(
  vectors: usize, stride: i32, count: i32, length: i32, codebook: usize, centroids: i32, target: usize,
): void {
  const step = <usize>stride << 2;
  let i = 0;
  for (; i + 8 <= count; i += 8, vectors += 32, target += 32) {
    if (length == 4) nearestEightOfFour(vectors, step, codebook, centroids, target);
    else nearestEight(vectors, step, length, codebook, centroids, target);
  }
  for (; i < count; i++, vectors += 4, target += 4) {
    store<i32>(target, nearestOne(vectors, step, length, codebook, centroids));
  }
}
