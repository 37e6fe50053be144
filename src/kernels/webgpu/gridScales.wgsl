// Scales of groups on a grid of levels: `scalesOf` of the reference. A file with the grid follows.

const SHARED = 0u;
const BY_SIGN = 1u;
const POWER_OF_TWO = 2u;
const E4M3_SCALE = 3u;
const E4M3_TWO_LEVEL = 4u;
const ABSMAX_RECIPROCAL = 5u;
const BY_SIGN_E5M2 = 6u;
const POWER_OF_TWO_CEIL = 7u;
const POWER_OF_TWO_ROUND = 8u;
const SAME_WIDTH = false;
const HAS_NEGATIVE_SCALE = true;
const HAS_GROUPS = true;

// Parameters.
const SCALING = RULE;
const DIVISOR = RULE + 1u;
const TENSOR_SCALE = RULE + 2u;
const GRID = RULE + 3u;

/** 2^−6 and 448: what an E4M3 scale may be. */
const SMALLEST_SCALE = 0x3c800000u;
const LARGEST_SCALE = 0x43e00000u;

/** 57344, the largest E5M2 number. */
const LARGEST_E5M2 = 0x47600000u;

/** The fraction of a normal number, with a 1 before the point, as f32. */
fn significandOf(x: u32) -> u32 {
  return (x & 0x7fffffu) | ONE;
}

/** Whether a block's power of two is twice the largest one that the OCP rule allows. */
fn goesUp(largest: u32) -> bool {
  // Of subnormal numbers the exponent is at its limit in any case.
  let significand = significandOf(largest);
  switch word(SCALING) {
    case POWER_OF_TWO_CEIL: {
      return significand > significandOf(word(DIVISOR));
    }
    case POWER_OF_TWO_ROUND: {
      // 1.75
      return significand >= 0x3fe00000u;
    }
    default: {
      return false;
    }
  }
}

/** AMXFP4's scale of one sign: 1 where there is nothing to scale. */
fn e5m2Scale(extreme: u32, divisor: Divisor) -> u32 {
  let wanted = divideBy(extreme & MAGNITUDE, divisor);
  return roundToMinifloat(Minifloat(2, -14, LARGEST_E5M2, TIES_AWAY), select(wanted, ONE, wanted == 0u));
}

fn fitRange(range: Range, dtype: u32) -> Fit {
  let largest = max(range.lo & MAGNITUDE, range.hi & MAGNITUDE);
  let divisor = divisorOf(word(DIVISOR));
  switch word(SCALING) {
    case BY_SIGN: {
      let positive = storeScale(divideBy(range.hi & MAGNITUDE, divisor), dtype);
      let negative = storeScale(divideBy(range.lo & MAGNITUDE, divisor), dtype);
      return Fit(positive.value, negative.value, 0, positive.bad || negative.bad);
    }
    case BY_SIGN_E5M2: {
      return Fit(e5m2Scale(range.hi, divisor), e5m2Scale(range.lo, divisor), 0, false);
    }
    case POWER_OF_TWO, POWER_OF_TWO_CEIL, POWER_OF_TWO_ROUND: {
      let exponent = partsOf(largest).exponent - i32(exponentField(word(DIVISOR)));
      let scale = powerOfTwo(clamp(exponent + select(0, 1, goesUp(largest)), -127, 127));
      return Fit(scale, scale, 0, false);
    }
    case E4M3_SCALE, E4M3_TWO_LEVEL: {
      let wanted = divide(divideBy(largest, divisor), word(TENSOR_SCALE));
      let e4m3 = Minifloat(3, -6, LARGEST_SCALE, TIES_EVEN);
      var scale = roundToMinifloat(e4m3, clamp(wanted, SMALLEST_SCALE, LARGEST_SCALE));
      if (word(SCALING) == E4M3_TWO_LEVEL) {
        scale = min(multiply(word(TENSOR_SCALE), scale), LARGEST);
      }
      return Fit(scale, scale, 0, false);
    }
    case ABSMAX_RECIPROCAL: {
      return Fit(largest, largest, 0, false);
    }
    default: {
      let scale = storeScale(divideBy(largest, divisor), dtype);
      return Fit(scale.value, scale.value, 0, scale.bad);
    }
  }
}

/** The scale of a weight; −0 counts as +0. */
fn scaleFor(weight: u32, q: Quantizer) -> u32 {
  return select(q.scale, q.negative, weight > SIGN);
}

fn scaledWeight(weight: u32, q: Quantizer) -> u32 {
  var scaled: u32;
  if (word(SCALING) == ABSMAX_RECIPROCAL) {
    // Of no less than 1e-38, as in bitsandbytes' code.
    let reciprocal = divide(ONE, max(q.scale, 0x006ce3eeu));
    scaled = multiply(weight, reciprocal);
    return (scaled & SIGN) | min(scaled & MAGNITUDE, ONE);
  }
  if (weight > SIGN && (word(SCALING) == BY_SIGN || word(SCALING) == BY_SIGN_E5M2)) {
    scaled = divideBy(weight, q.negativeDivisor);
  } else {
    scaled = divideBy(weight, q.divisor);
  }
  return select(scaled, 0u, scaled == SIGN);
}
