// f32 arithmetic as IEEE 754 has it, on bit patterns. A device may divide inexactly, flush subnormal
// numbers, fuse a product with a sum, and assume that there are no infinities: what could differ is done
// with integers here, the rest with the device's own operations.

@group(0) @binding(0) var<uniform> params: array<vec4<u32>, 16>;

/** A parameter of the kernel; number 0 is zero, which the compiler does not know. */
fn word(index: u32) -> u32 {
  let at = VIEWS + index;
  return params[at >> 2u][at & 3u];
}

/** Words of a view's binding that lie before it. */
fn skip(view: u32) -> u32 {
  return params[view >> 2u][view & 3u];
}

const SIGN = 0x80000000u;
const MAGNITUDE = 0x7fffffffu;
const INFINITY = 0x7f800000u;
const NOT_A_NUMBER = 0x7fc00000u;
const LARGEST = 0x7f7fffffu;
const ONE = 0x3f800000u;
const HALF = 0x3f000000u;

/** A result of the device's arithmetic; what follows cannot be fused with it. */
fn seal(value: f32) -> u32 {
  return bitcast<u32>(value) ^ word(0u);
}

fn exponentField(x: u32) -> u32 {
  return (x >> 23u) & 255u;
}

/** Place among all finite numbers in ascending order; ±0 at 0. */
fn orderOf(x: u32) -> i32 {
  let magnitude = i32(x & MAGNITUDE);
  return select(magnitude, -magnitude, (x & SIGN) != 0u);
}

fn ofOrder(order: i32) -> u32 {
  return select(u32(order), u32(-order) | SIGN, order < 0);
}

/** A finite number other than 0 as mantissa · 2^(exponent − 150), 2^23 ≤ mantissa < 2^24. */
struct Parts {
  mantissa: u32,
  exponent: i32,
}

fn partsOf(x: u32) -> Parts {
  let field = exponentField(x);
  let fraction = x & 0x7fffffu;
  if (field > 0u) {
    return Parts(fraction | 0x800000u, i32(field));
  }
  let places = countLeadingZeros(fraction) - 8u;
  return Parts(fraction << places, 1 - i32(places));
}

/** x >> places where bits that fall off stay as the lowest bit. */
fn shiftSticky(x: u32, places: u32) -> u32 {
  if (places > 31u) {
    return u32(x != 0u);
  }
  return (x >> places) | u32((x & ((1u << places) - 1u)) != 0u);
}

/** Rounds mantissa · 2^(exponent − 157), 2^30 ≤ mantissa < 2^31, its lowest bit sticky. */
fn roundParts(sign: u32, mantissa: u32, exponent: i32) -> u32 {
  if (exponent > 254) {
    return sign | INFINITY;
  }
  var kept = mantissa;
  if (exponent < 1) {
    kept = shiftSticky(mantissa, u32(1 - exponent));
  }
  let rest = kept & 127u;
  var rounded = kept >> 7u;
  if (rest > 64u || (rest == 64u && (rounded & 1u) == 1u)) {
    rounded++;
  }
  if (exponent < 1) {
    return sign | rounded;
  }
  // The leading bit adds one to the exponent, and so does a carry.
  return sign | ((u32(exponent - 1) << 23u) + rounded);
}

/** The 64 bits of a product: upper half, lower half. */
fn wideProduct(a: u32, b: u32) -> vec2<u32> {
  let low = (a & 0xffffu) * (b & 0xffffu);
  let middle = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
  let other = (a & 0xffffu) * (b >> 16u) + (middle & 0xffffu);
  return vec2<u32>(
    (a >> 16u) * (b >> 16u) + (middle >> 16u) + (other >> 16u),
    (other << 16u) | (low & 0xffffu),
  );
}

fn multiplyByParts(a: u32, b: u32) -> u32 {
  let sign = (a ^ b) & SIGN;
  let x = a & MAGNITUDE;
  let y = b & MAGNITUDE;
  if (max(x, y) >= INFINITY) {
    return select(sign | INFINITY, NOT_A_NUMBER, max(x, y) > INFINITY || min(x, y) == 0u);
  }
  if (min(x, y) == 0u) {
    return sign;
  }
  let p = partsOf(x);
  let q = partsOf(y);
  let product = wideProduct(p.mantissa, q.mantissa);
  let exponent = p.exponent + q.exponent - 127;
  if ((product.x & 0x8000u) != 0u) {
    let kept = (product.x << 15u) | (product.y >> 17u) | u32((product.y & 0x1ffffu) != 0u);
    return roundParts(sign, kept, exponent + 1);
  }
  let kept = (product.x << 16u) | (product.y >> 16u) | u32((product.y & 0xffffu) != 0u);
  return roundParts(sign, kept, exponent);
}

/** a·b, rounded to nearest even. */
fn multiply(a: u32, b: u32) -> u32 {
  let p = exponentField(a);
  let q = exponentField(b);
  // Nothing subnormal or infinite on the way.
  if (min(p, q) > 0u && max(p, q) < 255u && p + q > 128u && p + q < 380u) {
    return seal(bitcast<f32>(a) * bitcast<f32>(b));
  }
  return multiplyByParts(a, b);
}

/** x·2^100 of a number below 2^−100. */
fn lift(x: u32) -> f32 {
  let field = exponentField(x);
  if (field > 0u) {
    return bitcast<f32>(x + (100u << 23u));
  }
  let magnitude = f32(x & 0x7fffffu) * 0x1p-49f;
  return bitcast<f32>(bitcast<u32>(magnitude) | (x & SIGN));
}

fn addSmall(a: u32, b: u32) -> u32 {
  let sum = seal(lift(a) + lift(b));
  if (exponentField(sum) > 100u) {
    return sum - (100u << 23u);
  }
  // Sums of subnormal size are exact.
  let fraction = u32(bitcast<f32>(sum & MAGNITUDE) * 0x1p49f);
  return (sum & SIGN) | fraction;
}

fn addLarge(a: u32, b: u32) -> u32 {
  let x = a & MAGNITUDE;
  let y = b & MAGNITUDE;
  if (max(x, y) >= INFINITY) {
    if (max(x, y) > INFINITY || (x == y && a != b)) {
      return NOT_A_NUMBER;
    }
    return select(b, a, x >= y);
  }
  // A quarter of each; what is too small for that does not count beside the other.
  let p = select(0u, a - (2u << 23u), exponentField(a) > 2u);
  let q = select(0u, b - (2u << 23u), exponentField(b) > 2u);
  let sum = seal(bitcast<f32>(p) + bitcast<f32>(q));
  if ((sum & MAGNITUDE) == 0u) {
    return 0u;
  }
  if (exponentField(sum) > 252u) {
    return (sum & SIGN) | INFINITY;
  }
  return sum + (2u << 23u);
}

/** a + b, rounded to nearest even. */
fn add(a: u32, b: u32) -> u32 {
  let largest = max(exponentField(a), exponentField(b));
  if (largest < 27u) {
    return addSmall(a, b);
  }
  if (largest > 252u) {
    return addLarge(a, b);
  }
  return seal(bitcast<f32>(a) + bitcast<f32>(b));
}

fn subtract(a: u32, b: u32) -> u32 {
  return add(a, b ^ SIGN);
}

/** What many numbers are divided by. Its mantissa is 0 for infinity. */
struct Divisor {
  sign: u32,
  mantissa: u32,
  exponent: i32,
  /** Of the mantissa, as good as the device divides. */
  reciprocal: f32,
}

/** A divisor from a number; from 0, infinity: a scale that was rounded to zero makes every weight zero. */
fn divisorOf(x: u32) -> Divisor {
  let magnitude = x & MAGNITUDE;
  if (magnitude == 0u || magnitude >= INFINITY) {
    return Divisor(x & SIGN, 0u, 0, 0f);
  }
  let parts = partsOf(magnitude);
  return Divisor(x & SIGN, parts.mantissa, parts.exponent, 1f / f32(parts.mantissa));
}

/** a divided by a divisor, rounded to nearest even. */
fn divideBy(a: u32, d: Divisor) -> u32 {
  let sign = (a ^ d.sign) & SIGN;
  let magnitude = a & MAGNITUDE;
  if (magnitude >= INFINITY) {
    return sign | magnitude;
  }
  if (magnitude == 0u || d.mantissa == 0u) {
    return sign;
  }
  let parts = partsOf(magnitude);
  // The quotient of the mantissas is to lie in [1, 2).
  let below = u32(parts.mantissa < d.mantissa);
  let numerator = parts.mantissa << below;
  let exponent = parts.exponent - d.exponent + 127 - i32(below);
  // An estimate of 24 bits. Its remainder is small, so that its lowest 32 bits are all of it.
  var quotient = u32(f32(numerator) * d.reciprocal * 8388608f);
  var remainder = bitcast<i32>((numerator << 23u) - quotient * d.mantissa);
  let divisor = i32(d.mantissa);
  let correction = i32(round(f32(remainder) * d.reciprocal));
  quotient += bitcast<u32>(correction);
  remainder -= correction * divisor;
  // A quotient of two such mantissas never lies halfway.
  if (2 * remainder > divisor) {
    quotient++;
    remainder -= divisor;
  } else if (2 * remainder < -divisor) {
    quotient--;
    remainder += divisor;
  }
  if (exponent > 254) {
    return sign | INFINITY;
  }
  if (exponent > 0) {
    return sign | ((u32(exponent - 1) << 23u) + quotient);
  }
  if (remainder < 0) {
    quotient--;
  }
  let kept = (quotient << 7u) | u32(remainder != 0);
  return roundParts(sign, kept, exponent);
}

/** a / b, rounded to nearest even; 0 where b is 0. */
fn divide(a: u32, b: u32) -> u32 {
  return divideBy(a, divisorOf(b));
}

/** x·2^power where the result is no subnormal number; 0 below. */
fn shiftExponent(x: u32, power: i32) -> u32 {
  if ((x & MAGNITUDE) == 0u || (x & MAGNITUDE) >= INFINITY) {
    return x;
  }
  let parts = partsOf(x);
  let exponent = parts.exponent + power;
  if (exponent > 254) {
    return (x & SIGN) | INFINITY;
  }
  return (x & SIGN) | select((u32(exponent) << 23u) | (parts.mantissa & 0x7fffffu), 0u, exponent < 1);
}

/** 2^power, from the smallest subnormal number on. */
fn powerOfTwo(power: i32) -> u32 {
  return select(u32(power + 127) << 23u, 1u << u32(power + 149), power < -126);
}

/** x over 2^exponent of the largest: squares of these neither overflow nor all vanish. */
fn relative(x: u32, largest: u32) -> f32 {
  let magnitude = x & MAGNITUDE;
  if (magnitude == 0u || magnitude >= INFINITY || largest >= INFINITY) {
    return 0f;
  }
  let parts = partsOf(magnitude);
  let below = partsOf(largest).exponent - parts.exponent;
  if (below > 60) {
    return 0f;
  }
  return bitcast<f32>((u32(127 - below) << 23u) | (parts.mantissa & 0x7fffffu));
}
