// What the kernels that see groups share. Needs exact.wgsl and rounding.wgsl; a file with a rule follows.

// Parameters: see `groupWords`.
const ELEMENTS = 1u;
const COLUMNS = 2u;
const GROUP_COLUMNS = 3u;
const GROUPS_PER_ROW = 4u;
const GROUPS = 5u;
const FLAGS = 6u;
const RANGE = 7u;
const SCALE_DTYPE = 9u;
const LANES = 10u;
const SEARCH = 11u;
const RULE = 12u;

const RANGE_IS_GIVEN = 1u;
const RANGE_WITHOUT_ZERO = 2u;
const EMPTY_IS_UNIT = 4u;
const HAS_OUTPUT = 8u;

const BAD_SCALE = 1u;
const ONE_SIGNED = 2u;
const NOT_STRADDLING = 4u;
/** From this bit on beside them: how many more weights count as clipped. */
const MORE_CLIPPED = 8u;

fn hasFlag(flag: u32) -> bool {
  return (word(FLAGS) & flag) != 0u;
}

struct Range {
  lo: u32,
  hi: u32,
}

/** What is stored for a group: scales of weights ≥ 0 and < 0, zero point. */
struct Fit {
  scale: u32,
  negative: u32,
  zero: i32,
  bad: bool,
}

/** The same, ready for many weights. */
struct Quantizer {
  scale: u32,
  negative: u32,
  zero: i32,
  divisor: Divisor,
  negativeDivisor: Divisor,
}

/** ŵ, (w − ŵ) in widths of the interval between two levels, and whether w lies beyond the outermost level. */
struct Quantized {
  value: u32,
  stepError: u32,
  clips: bool,
}

/** Half a step and what f32 rounding may add to it: 0.50001. */
const CLIPPED = 0x3f0000a8u;

fn quantizedAs(value: u32, stepError: u32) -> Quantized {
  return Quantized(value, stepError, (stepError & MAGNITUDE) > CLIPPED);
}

/** The place of a group's weights: the first and how many. */
struct Place {
  start: u32,
  count: u32,
}

fn placeOf(group: u32) -> Place {
  let row = group / word(GROUPS_PER_ROW);
  let column = (group % word(GROUPS_PER_ROW)) * word(GROUP_COLUMNS);
  let count = min(word(GROUP_COLUMNS), word(COLUMNS) - column);
  return Place(row * word(COLUMNS) + column, count);
}

/** The fit of a range as the rule takes it; see `orUnit` of the reference. */
fn fitOrUnit(range: Range) -> Fit {
  let isUnit = hasFlag(EMPTY_IS_UNIT) && ((range.lo | range.hi) & MAGNITUDE) == 0u;
  let lo = select(range.lo, SIGN | ONE, isUnit);
  let hi = select(range.hi, ONE, isUnit);
  return fitRange(Range(lo, hi), word(SCALE_DTYPE));
}

fn quantizerOf(fit: Fit) -> Quantizer {
  let divisor = divisorOf(fit.scale);
  var negative = divisor;
  if (HAS_NEGATIVE_SCALE) {
    negative = divisorOf(fit.negative);
  }
  return Quantizer(fit.scale, fit.negative, fit.zero, divisor, negative);
}

/** The range that a rule starts from, and what is odd about the group. */
struct Start {
  range: Range,
  oddities: u32,
}

fn startOf(least: i32, most: i32) -> Start {
  var lo = least;
  var hi = most;
  if (hasFlag(RANGE_IS_GIVEN)) {
    lo = orderOf(word(RANGE));
    hi = orderOf(word(RANGE + 1u));
  }
  var oddities = 0u;
  if (!HAS_GROUPS) {
    return Start(Range(0u, 0u), 0u);
  }
  if ((lo >= 0) != (hi <= 0)) {
    oddities |= ONE_SIGNED;
  }
  // 1e-5, as in AWQ's code.
  if (lo > 0 || hi < 0 || subtract(ofOrder(hi), ofOrder(lo)) < 0x3727c5acu) {
    oddities |= NOT_STRADDLING;
  }
  if (!hasFlag(RANGE_WITHOUT_ZERO)) {
    lo = min(lo, 0);
    hi = max(hi, 0);
  }
  return Start(Range(ofOrder(lo), ofOrder(hi)), oddities);
}

fn packFit(fit: Fit, oddities: u32) -> vec4<u32> {
  return vec4<u32>(fit.scale, fit.negative, bitcast<u32>(fit.zero), oddities | select(0u, BAD_SCALE, fit.bad));
}

fn unpackFit(words: vec4<u32>) -> Fit {
  return Fit(words.x, words.y, bitcast<i32>(words.z), false);
}
