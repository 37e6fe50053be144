// Integers with a scale and a zero point: `makeIntegerQuantizer` of the reference.

const GPTQ_ASYM = 0u;
const GPTQ_SYM = 1u;
const AWQ = 2u;
const ABSMAX = 3u;
/** AWQ's codes never divide by less than this: 1e-5. */
const SMALLEST_RANGE = 0x3727c5acu;
const SAME_WIDTH = true;
const HAS_NEGATIVE_SCALE = false;
const HAS_GROUPS = true;

fn fitRange(range: Range, dtype: u32) -> Fit {
  let bits = word(RULE);
  let convention = word(RULE + 1u);
  let highest = (1u << bits) - 1u;
  let half = 1u << (bits - 1u);
  let largest = max(range.lo & MAGNITUDE, range.hi & MAGNITUDE);
  var span: u32;
  var parts = highest;
  switch convention {
    case GPTQ_SYM: {
      // Without negative weights the range stays one-sided while the zero point does not.
      span = select(largest, add(largest, largest), orderOf(range.lo) < 0);
    }
    case AWQ: {
      // A search may put the ends the other way round.
      span = subtract(range.hi, range.lo);
      span = select(max(span, SMALLEST_RANGE), SMALLEST_RANGE, (span & SIGN) != 0u);
    }
    case ABSMAX: {
      span = max(largest, SMALLEST_RANGE);
      parts = half - 1u;
    }
    default: {
      span = subtract(range.hi, range.lo);
    }
  }
  let stored = storeScale(divide(span, bitcast<u32>(f32(parts))), dtype);
  var zero = 0;
  if (convention == GPTQ_SYM) {
    zero = i32(half);
  } else if (convention != ABSMAX) {
    let scaled = nearestInteger(divideBy(range.lo, divisorOf(stored.value)));
    zero = clamp(-scaled, 0, i32(highest));
  }
  return Fit(stored.value, stored.value, zero, stored.bad);
}

fn levelOf(scaled: u32, zero: i32) -> i32 {
  let half = 1i << (word(RULE) - 1u);
  let lowest = select(0, -half, word(RULE + 1u) == ABSMAX);
  var rounded: i32;
  if (word(RULE + 2u) == TIES_AWAY) {
    rounded = nearestIntegerAway(scaled);
  } else {
    rounded = nearestInteger(scaled);
  }
  return clamp(rounded + zero, lowest, lowest + 2 * half - 1) - zero;
}

fn valueOf(weight: u32, q: Quantizer) -> u32 {
  let level = levelOf(divideBy(weight, q.divisor), q.zero);
  return multiply(q.scale, bitcast<u32>(f32(level)));
}

fn quantize(weight: u32, q: Quantizer) -> Quantized {
  let scaled = divideBy(weight, q.divisor);
  let level = bitcast<u32>(f32(levelOf(scaled, q.zero)));
  return quantizedAs(multiply(q.scale, level), subtract(scaled, level));
}
