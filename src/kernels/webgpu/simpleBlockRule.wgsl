// GGUF's blocks of 32 weights with one F16 scale, and an F16 minimum in the _1 types: `simpleBlocks.ts`
// of the reference. In a fit, the second word is the inverse of the scale before its rounding, the third
// the minimum before its rounding.

const SAME_WIDTH = false;
const HAS_NEGATIVE_SCALE = false;
const HAS_GROUPS = false;

const SIGNED_BLOCK = 0u;
const RANGE_BLOCK = 1u;
const BYTE_BLOCK = 2u;

// Parameters.
const KIND = RULE;
const LOWEST = RULE + 1u;
const HIGHEST = RULE + 2u;

fn fitRange(range: Range, dtype: u32) -> Fit {
  return Fit(0u, 0u, 0, false);
}

/** As F16; infinity from 65520 on. */
fn storeF16(x: u32) -> u32 {
  return select(roundToF16(x), (x & SIGN) | INFINITY, (x & MAGNITUDE) >= 0x477ff000u);
}

/** 1/x, or 0 where x is 0. */
fn inverseOf(x: u32) -> u32 {
  // What is infinite divides like 0.
  return divide(ONE, x);
}

/** What C keeps of a number: 0 of infinities and NaN. */
fn truncated(x: u32) -> i32 {
  if ((x & MAGNITUDE) >= INFINITY) {
    return 0;
  }
  if (exponentField(x) > 142u) {
    return select(65536, -65536, (x & SIGN) != 0u);
  }
  return i32(trunc(bitcast<f32>(x)));
}

/** Half away from zero, as C's roundf. */
fn roundedAway(x: u32) -> i32 {
  let whole = truncated(x & MAGNITUDE);
  if ((x & MAGNITUDE) >= INFINITY || whole == 65536) {
    return 0;
  }
  let rest = bitcast<f32>(x & MAGNITUDE) - f32(whole);
  let magnitude = whole + i32(rest >= 0.5f);
  return select(magnitude, -magnitude, (x & SIGN) != 0u);
}

fn levelOf(weight: u32, q: Quantizer) -> i32 {
  let inverse = q.negative;
  let lowest = bitcast<i32>(word(LOWEST));
  let highest = bitcast<i32>(word(HIGHEST));
  switch word(KIND) {
    case SIGNED_BLOCK: {
      let half = bitcast<u32>(f32(-lowest) + 0.5f);
      return min(highest, truncated(add(multiply(weight, inverse), half)) + lowest);
    }
    case RANGE_BLOCK: {
      let scaled = multiply(subtract(weight, bitcast<u32>(q.zero)), inverse);
      return min(highest, truncated(add(scaled, HALF)));
    }
    default: {
      return roundedAway(multiply(weight, inverse));
    }
  }
}

fn quantize(weight: u32, q: Quantizer) -> Quantized {
  let level = bitcast<u32>(f32(levelOf(weight, q)));
  var offset = SIGN;
  if (word(KIND) == RANGE_BLOCK) {
    offset = storeF16(bitcast<u32>(q.zero));
  }
  let value = add(multiply(q.scale, level), offset);
  if (q.divisor.mantissa == 0u) {
    return Quantized(value, 0u, false);
  }
  let scaled = divideBy(subtract(weight, offset), q.divisor);
  let order = orderOf(scaled);
  let top = bitcast<u32>(f32(bitcast<i32>(word(HIGHEST))) + 0.5f);
  let bottom = bitcast<u32>(f32(bitcast<i32>(word(LOWEST))) - 0.5f);
  let clips = order > orderOf(top) || order < orderOf(bottom);
  return Quantized(value, subtract(level, scaled), clips);
}
