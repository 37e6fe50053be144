// Functions to the accuracy of f32, which the language does not promise of its own.

/// e^x, zero where it would be less than the smallest normal f32.
fn exponential(x: f32) -> f32 {
  if (x < -87.0) {
    return 0.0;
  }
  let y = min(x, 88.0);
  let n = round(y * 1.44269504);
  // ln 2 in two parts: the product with the first is exact.
  let r = fma(n, -1.42860677e-6, fma(n, -0.693145752, y));
  var p = 1.0 / 5040.0;
  p = fma(p, r, 1.0 / 720.0);
  p = fma(p, r, 1.0 / 120.0);
  p = fma(p, r, 1.0 / 24.0);
  p = fma(p, r, 1.0 / 6.0);
  p = fma(p, r, 0.5);
  p = fma(p, r, 1.0);
  p = fma(p, r, 1.0);
  return p * bitcast<f32>(u32(i32(n) + 127) << 23u);
}

fn hyperbolic_tangent(x: f32) -> f32 {
  let size = min(abs(x), 10.0);
  if (size < 0.4) {
    // What the quotient below loses.
    let z = x * x;
    var p = -0.00886323;
    p = fma(p, z, 0.02186949);
    p = fma(p, z, -0.05396825);
    p = fma(p, z, 0.13333333);
    p = fma(p, z, -0.33333333);
    return fma(p * z, x, x);
  }
  return sign(x) * (1.0 - 2.0 / (exponential(2.0 * size) + 1.0));
}

/// 1/(1 + e^−x).
fn logistic(x: f32) -> f32 {
  let e = exponential(-abs(x));
  return select(e, 1.0, x >= 0.0) / (1.0 + e);
}

/// erfc of x ≥ 0: e^(−x²) times a rational approximation (Numerical Recipes), 1.2e-7 of the value.
fn complementary_error(x: f32) -> f32 {
  let t = 1.0 / (1.0 + 0.5 * x);
  var p = 0.17087277;
  p = fma(p, t, -0.82215223);
  p = fma(p, t, 1.48851587);
  p = fma(p, t, -1.13520398);
  p = fma(p, t, 0.27886807);
  p = fma(p, t, -0.18628806);
  p = fma(p, t, 0.09678418);
  p = fma(p, t, 0.37409196);
  p = fma(p, t, 1.00002368);
  return t * exponential(fma(p, t, -1.26551223) - x * x);
}
