// Widens elements as stored to f32, by their bits. A thread makes one weight.

const VIEWS = 2u;
@group(0) @binding(1) var<storage, read> source: array<u32>;
@group(0) @binding(2) var<storage, read_write> weights: array<u32>;

// Parameters: elements, element type, and of small floats the bits of exponent and fraction, the bias and
// what the highest codes mean.
const SMALL_FLOAT = 0u;
const UNSIGNED = 1u;
const SIGNED = 2u;
const UPPER_HALF = 3u;
const AS_IT_IS = 4u;
const BOOLEAN = 5u;
const POWER = 6u;

const IEEE = 0u;
const ONE_NAN = 1u;
const NO_NEGATIVE_ZERO = 2u;

/** The code of an element of 8, 16 or 32 bits. */
fn codeOf(index: u32, bits: u32) -> u32 {
  let bit = index * bits;
  return extractBits(source[skip(0u) + index / (32u / bits)], bit & 31u, bits);
}

/** The nearest f32 of a whole number, ties to even. */
fn floatOfWhole(x: u32) -> u32 {
  if (x == 0u) {
    return 0u;
  }
  let places = countLeadingZeros(x);
  let top = x << places;
  return roundParts(0u, (top >> 1u) | (top & 1u), 158 - i32(places));
}

fn floatOfSmall(code: u32) -> u32 {
  let exponentBits = word(4u);
  let fractionBits = word(5u);
  let bias = i32(word(6u));
  let style = word(7u);
  let sign = (code >> (exponentBits + fractionBits)) << 31u;
  let exponent = extractBits(code, fractionBits, exponentBits);
  let fraction = extractBits(code, 0u, fractionBits);
  let highest = (1u << exponentBits) - 1u;
  let top = (1u << fractionBits) - 1u;
  if (style == IEEE && exponent == highest) {
    return select(NOT_A_NUMBER, sign | INFINITY, fraction == 0u);
  }
  if (style == ONE_NAN && exponent == highest && fraction == top) {
    return NOT_A_NUMBER;
  }
  if (style == NO_NEGATIVE_ZERO && exponent == 0u && fraction == 0u && sign != 0u) {
    return NOT_A_NUMBER;
  }
  if (exponent > 0u) {
    return sign | (u32(i32(exponent) - bias + 127) << 23u) | (fraction << (23u - fractionBits));
  }
  if (fraction == 0u) {
    return sign;
  }
  // Subnormal here, but not as f32.
  let places = countLeadingZeros(fraction) - 8u;
  let shifted = (fraction << places) & 0x7fffffu;
  return sign | (u32(1 - bias - i32(fractionBits) + 150 - i32(places)) << 23u) | shifted;
}

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) counts: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let i = (id.y * counts.x + id.x) * 256u + thread;
  if (i >= word(1u)) {
    return;
  }
  let bits = word(3u);
  let code = codeOf(i, bits);
  var value = code;
  switch word(2u) {
    case SMALL_FLOAT: {
      value = floatOfSmall(code);
    }
    case UNSIGNED: {
      value = floatOfWhole(code);
    }
    case SIGNED: {
      let whole = bitcast<i32>(code << (32u - bits)) >> (32u - bits);
      value = floatOfWhole(u32(abs(whole))) | (bitcast<u32>(whole) & SIGN);
    }
    case UPPER_HALF: {
      value = code << 16u;
    }
    case BOOLEAN: {
      value = select(0u, ONE, code != 0u);
    }
    case POWER: {
      value = select(powerOfTwo(i32(code) - 127), NOT_A_NUMBER, code == 255u);
    }
    default: {
    }
  }
  weights[skip(1u) + i] = value;
}
