// dINT: integers with a zero point and two codes ±special·scale: `makeDenormalIntegerQuantizer` of the
// reference. Needs double.wgsl.

const SAME_WIDTH = false;
const HAS_NEGATIVE_SCALE = false;
const HAS_GROUPS = true;

// Parameters.
const TOP = RULE;
const SYMMETRIC_ZERO = RULE + 1u;
const SPECIAL = RULE + 2u;
/** Inverse widths of the intervals next to zero, and from there to one. */
const INNER = RULE + 3u;
const OUTER = RULE + 4u;

fn fitRange(range: Range, dtype: u32) -> Fit {
  let lo = range.lo & MAGNITUDE;
  let symmetric = word(SYMMETRIC_ZERO) > 0u;
  // The span is an f64.
  let one = doubleOf(select(lo, max(lo, range.hi), symmetric));
  let other = doubleOf(select(range.hi, max(lo, range.hi), symmetric));
  let stored = storeScale(divideToFloat(addDoubles(one, other), word(TOP)), dtype);
  var zero = i32(word(SYMMETRIC_ZERO));
  if (!symmetric) {
    zero = clamp(nearestInteger(divide(lo, stored.value)), 0, i32(word(TOP)));
  }
  return Fit(stored.value, stored.value, zero, stored.bad);
}

fn levelOf(scaled: u32, zero: i32) -> u32 {
  let integer = bitcast<u32>(f32(clamp(nearestInteger(scaled) + zero, 0, i32(word(TOP))) - zero));
  let denormal = word(SPECIAL) | select(0u, SIGN, scaled > SIGN);
  let toDenormal = subtract(scaled, denormal) & MAGNITUDE;
  return select(integer, denormal, toDenormal < (subtract(scaled, integer) & MAGNITUDE));
}

fn valueOf(weight: u32, q: Quantizer) -> u32 {
  return multiply(q.scale, levelOf(divideBy(weight, q.divisor), q.zero));
}

fn quantize(weight: u32, q: Quantizer) -> Quantized {
  let scaled = divideBy(weight, q.divisor);
  let level = levelOf(scaled, q.zero);
  let bottom = max(f32(q.zero), bitcast<f32>(word(SPECIAL)));
  let top = max(f32(i32(word(TOP)) - q.zero), bitcast<f32>(word(SPECIAL)));
  let end = bitcast<u32>(select(top, bottom, (scaled & SIGN) != 0u));
  let inside = min(scaled & MAGNITUDE, end);
  var inverseWidth = ONE;
  if (inside <= word(SPECIAL)) {
    inverseWidth = word(INNER);
  } else if (inside <= ONE) {
    inverseWidth = word(OUTER);
  }
  return quantizedAs(
    multiply(q.scale, level),
    multiply(subtract(scaled, level), inverseWidth),
  );
}
