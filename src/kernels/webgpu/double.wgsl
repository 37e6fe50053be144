// Sums of f64 ≥ 0 in pairs of u32. Needs exact.wgsl.

/** (high · 2^32 + low) · 2^(exponent − 52), 2^52 ≤ mantissa < 2^53; 0 has mantissa 0. */
struct Double {
  exponent: i32,
  high: u32,
  low: u32,
}

const ZERO_DOUBLE = Double(-10000, 0u, 0u);
/** Above every finite number; added to, it stays. */
const INFINITE_DOUBLE = Double(10000, 0x100000u, 0u);

/** From an f32 ≥ 0. */
fn doubleOf(x: u32) -> Double {
  if (x == 0u) {
    return ZERO_DOUBLE;
  }
  if (x >= INFINITY) {
    return INFINITE_DOUBLE;
  }
  let parts = partsOf(x);
  return Double(parts.exponent - 127, parts.mantissa >> 3u, parts.mantissa << 29u);
}

/** The square of an f32, which is exact. */
fn squareOf(x: u32) -> Double {
  let magnitude = x & MAGNITUDE;
  if (magnitude == 0u) {
    return ZERO_DOUBLE;
  }
  if (magnitude >= INFINITY) {
    return INFINITE_DOUBLE;
  }
  let parts = partsOf(magnitude);
  let product = wideProduct(parts.mantissa, parts.mantissa);
  // 2^46 or 2^47 is its leading bit.
  let places = 5u + u32((product.x & 0x8000u) == 0u);
  return Double(
    2 * (parts.exponent - 127) + 6 - i32(places),
    (product.x << places) | (product.y >> (32u - places)),
    product.y << places,
  );
}

/** a + b, rounded to nearest even. */
fn addDoubles(a: Double, b: Double) -> Double {
  var x = a;
  var y = b;
  if (a.exponent < b.exponent) {
    x = b;
    y = a;
  }
  let distance = u32(x.exponent - y.exponent);
  if ((y.high | y.low) == 0u || distance > 54u || x.exponent == 10000) {
    return x;
  }
  // Ten bits more behind the mantissas, the last of them sticky.
  let xHigh = (x.high << 10u) | (x.low >> 22u);
  let xLow = x.low << 10u;
  var yHigh = (y.high << 10u) | (y.low >> 22u);
  var yLow = y.low << 10u;
  if (distance >= 32u) {
    yLow = shiftSticky(yHigh, distance - 32u) | u32(yLow != 0u);
    yHigh = 0u;
  } else if (distance > 0u) {
    let lost = yLow << (32u - distance);
    yLow = (yLow >> distance) | (yHigh << (32u - distance)) | u32(lost != 0u);
    yHigh = yHigh >> distance;
  }
  var low = xLow + yLow;
  var high = xHigh + yHigh + u32(low < xLow);
  var exponent = x.exponent;
  if ((high & 0x80000000u) != 0u) {
    low = (low >> 1u) | (high << 31u) | (low & 1u);
    high = high >> 1u;
    exponent++;
  }
  let rest = low & 1023u;
  low = (low >> 10u) | (high << 22u);
  high = high >> 10u;
  if (rest > 512u || (rest == 512u && (low & 1u) == 1u)) {
    low++;
    high += u32(low == 0u);
    if (high == 0x200000u) {
      high = 0x100000u;
      exponent++;
    }
  }
  return Double(exponent, high, low);
}

fn isLess(a: Double, b: Double) -> bool {
  if (a.exponent != b.exponent) {
    return a.exponent < b.exponent;
  }
  return a.high < b.high || (a.high == b.high && a.low < b.low);
}

/** A number divided by a whole number below 2^11, rounded to f32. */
fn divideToFloat(x: Double, divisor: u32) -> u32 {
  if ((x.high | x.low) == 0u) {
    return 0u;
  }
  // 53 bits and 11 more, in digits of 16 bits.
  let high = (x.high << 11u) | (x.low >> 21u);
  let low = x.low << 11u;
  let digits = vec4<u32>(high >> 16u, high & 0xffffu, low >> 16u, low & 0xffffu);
  var quotient: vec4<u32>;
  var rest = 0u;
  for (var i = 0; i < 4; i++) {
    let part = (rest << 16u) | digits[i];
    quotient[i] = part / divisor;
    rest = part % divisor;
  }
  let quotientHigh = (quotient.x << 16u) | quotient.y;
  let quotientLow = (quotient.z << 16u) | quotient.w;
  // The leading bit is in the upper half: the divisor takes 11 of 64 bits at most.
  let places = countLeadingZeros(quotientHigh);
  var top = quotientHigh;
  if (places > 0u) {
    top = (quotientHigh << places) | (quotientLow >> (32u - places));
  }
  let sticky = u32(((quotientLow << places) | rest) != 0u);
  let mantissa = (top >> 1u) | (top & 1u) | sticky;
  return roundParts(0u, mantissa, x.exponent + 127 - i32(places));
}
