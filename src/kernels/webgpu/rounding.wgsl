// Rounding to other types, by integers. Needs exact.wgsl.

/** Nearest binary16, ties to even, saturating; as f32. */
fn roundToF16(x: u32) -> u32 {
  let magnitude = x & MAGNITUDE;
  if (magnitude < 0x38800000u) {
    // Subnormal in binary16: a multiple of 2^−24.
    let steps = round(bitcast<f32>(magnitude) * 0x1p24f);
    return (x & SIGN) | bitcast<u32>(steps * 0x1p-24f);
  }
  let rounded = (magnitude + 0xfffu + ((magnitude >> 13u) & 1u)) & 0xffffe000u;
  return (x & SIGN) | min(rounded, 0x477fe000u);
}

/** Nearest bfloat16, ties to even, saturating; as f32. */
fn roundToBf16(x: u32) -> u32 {
  let magnitude = x & MAGNITUDE;
  let rounded = (magnitude + 0x7fffu + ((magnitude >> 16u) & 1u)) & 0xffff0000u;
  return (x & SIGN) | min(rounded, 0x7f7f0000u);
}

const F32 = 0u;
const F16 = 1u;
const BF16 = 2u;

/** A scale as it is stored, and whether that is less near than its type promises. */
struct Stored {
  value: u32,
  bad: bool,
}

/** Rounds a scale ≥ 0 to its storage type; see `storeScale` of the reference. */
fn storeScale(scale: u32, dtype: u32) -> Stored {
  if (dtype == F32) {
    return Stored(min(scale, LARGEST), scale > LARGEST);
  }
  var value = roundToF16(scale);
  var promisedBits = 11;
  if (dtype == BF16) {
    value = roundToBf16(scale);
    promisedBits = 9;
  }
  let error = subtract(value, scale) & MAGNITUDE;
  return Stored(value, multiply(error, powerOfTwo(promisedBits)) > value);
}

/** A number as an integer, ties to even; beyond ±2^16 only that it is large. */
fn nearestInteger(x: u32) -> i32 {
  if (exponentField(x) > 142u) {
    return select(65536, -65536, (x & SIGN) != 0u);
  }
  return i32(round(bitcast<f32>(x)));
}

/** The same with ties away from zero, by adding 0.5 in f32. */
fn nearestIntegerAway(x: u32) -> i32 {
  if (exponentField(x) > 142u) {
    return select(65536, -65536, (x & SIGN) != 0u);
  }
  let magnitude = i32(floor(bitcast<f32>(seal(bitcast<f32>(x & MAGNITUDE) + 0.5f))));
  return select(magnitude, -magnitude, (x & SIGN) != 0u);
}

const TIES_EVEN = 0u;
const TIES_LOWER = 1u;
const TIES_AWAY = 2u;

/** See `Minifloat` of the formats. */
struct Minifloat {
  fractionBits: i32,
  minExponent: i32,
  largest: u32,
  ties: u32,
}

/** Exponent of the step at y: the distance of the values around it. */
fn stepExponent(format: Minifloat, y: u32) -> i32 {
  let magnitude = min(y & MAGNITUDE, format.largest);
  let exponent = i32(exponentField(magnitude)) - 127;
  return max(exponent, format.minExponent) - format.fractionBits;
}

/** Nearest value of a minifloat; the sign of −0 stays, but with ties to the lower value. */
fn roundToMinifloat(format: Minifloat, y: u32) -> u32 {
  let negative = (y & SIGN) != 0u;
  let magnitude = y & MAGNITUDE;
  if (magnitude >= format.largest) {
    return (y & SIGN) | format.largest;
  }
  let step = stepExponent(format, y);
  // Exact, but for numbers far below half of the smallest step, which become 0.
  let quotient = bitcast<f32>(seal(bitcast<f32>(magnitude) * bitcast<f32>(powerOfTwo(-step))));
  var steps = round(quotient);
  let rest = quotient - steps;
  if (format.ties == TIES_AWAY && rest == 0.5f) {
    steps += 1f;
  }
  if (format.ties == TIES_LOWER) {
    if (negative && rest == 0.5f) {
      steps += 1f;
    }
    if (!negative && rest == -0.5f) {
      steps -= 1f;
    }
  }
  let value = min(bitcast<u32>(abs(steps) * bitcast<f32>(powerOfTwo(step))), format.largest);
  if (value == 0u && format.ties == TIES_LOWER) {
    return 0u;
  }
  return (y & SIGN) | value;
}
