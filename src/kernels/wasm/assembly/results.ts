// The raw sums of one chunk: 12 f64 lanes, then max error and counts. See kernels/types.ts.

// @ts-ignore: decorator
@inline
export function storeResults(
  sums: usize,
  error01: v128,
  error23: v128,
  value01: v128,
  value23: v128,
  step01: v128,
  step23: v128,
  maxError: f32,
  underflow: i32,
  clipped: i32,
  badScales: i32,
  oneSigned: i32,
): void {
  v128.store(sums, error01);
  v128.store(sums, error23, 16);
  v128.store(sums, value01, 32);
  v128.store(sums, value23, 48);
  v128.store(sums, step01, 64);
  v128.store(sums, step23, 80);
  store<f64>(sums, <f64>maxError, 96);
  store<f64>(sums, <f64>underflow, 104);
  store<f64>(sums, <f64>clipped, 112);
  store<f64>(sums, <f64>badScales, 120);
  store<f64>(sums, <f64>oneSigned, 128);
}
