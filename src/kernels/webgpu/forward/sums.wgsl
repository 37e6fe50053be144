// Words of a row's running sums, in the order of SCORE.
const MAX: u32 = 0u;
const SUM: u32 = 1u;
const TARGET: u32 = 2u;
const TOP: u32 = 3u;
const DIVERGENCE_MAX: u32 = 4u;
const DIVERGENCE: u32 = 5u;
const REVERSE_MAX: u32 = 6u;
const REVERSE: u32 = 7u;
/// What stands for −∞: a maximum of nothing.
const LOWEST: f32 = -1.0e38;

const NOT_A_NUMBER: u32 = 0x7fc00000u;
const INFINITY: u32 = 0x7f800000u;
const MINUS_INFINITY: u32 = 0xff800000u;

/// ±∞ or not a number; the language lets arithmetic ignore them, but not their bits.
fn is_infinite_or_none(bits: u32) -> bool {
  return (bits & INFINITY) == INFINITY;
}
