// |x|^2.4: `powerTwoPointFour` of the reference, operation by operation. Needs exact.wgsl.

/** A product, rounded before it is added to anything. */
fn rounded(a: f32, b: f32) -> f32 {
  return bitcast<f32>(seal(a * b));
}

fn line(a: f32, b: f32, x: f32) -> f32 {
  return a + rounded(b, x);
}

fn logSeries(t: f32) -> f32 {
  let t2 = rounded(t, t);
  let low = line(
    line(1.4426950216293335f, -0.7213529348373413f, t),
    line(0.48091670870780945f, -0.3602251708507538f, t),
    t2,
  );
  let high = line(
    line(0.2872888743877411f, -0.24927182495594025f, t),
    line(0.23265257477760315f, -0.14275974035263062f, t),
    t2,
  );
  return line(low, high, rounded(t2, t2));
}

fn exp2Series(f: f32) -> f32 {
  let f2 = rounded(f, f);
  let low = line(
    line(1.0000001192092896f, 0.6931471824645996f, f),
    line(0.2402210682630539f, 0.055503569543361664f, f),
    f2,
  );
  return line(low, line(0.009676031768321991f, 0.0013390863314270973f, f), rounded(f2, f2));
}

fn powerTwoPointFour(x: u32) -> u32 {
  let magnitude = x & MAGNITUDE;
  if (magnitude < 0x26800000u) {
    return 0u;
  }
  if (magnitude >= INFINITY) {
    return magnitude;
  }
  let exponent = (i32(magnitude) - 0x3f3504f3) >> 23u;
  let t = bitcast<f32>(magnitude - (u32(exponent) << 23u)) - 1f;
  let logarithm = f32(exponent) + rounded(t, logSeries(t));
  let power = rounded(logarithm, 2.4f);
  if (power > 127f) {
    return INFINITY;
  }
  let whole = floor(power + 0.5f);
  let factor = bitcast<f32>(u32(i32(whole) + 127) << 23u);
  return seal(factor * exp2Series(power - whole));
}
