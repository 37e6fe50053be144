// At most 16 levels and the thresholds between them, from a table: levels, inverse widths of the intervals
// above them, places of the thresholds in the order of numbers.

@group(0) @binding(1) var<storage, read> table: array<u32>;

const INVERSE_WIDTHS = 16u;
const THRESHOLDS = 32u;

fn levelIndex(scaled: u32) -> u32 {
  let order = orderOf(scaled);
  var index = 0u;
  for (var i = 0u; i + 1u < word(GRID); i++) {
    index += u32(order > bitcast<i32>(table[skip(0u) + THRESHOLDS + i]));
  }
  return index;
}

fn valueOf(weight: u32, q: Quantizer) -> u32 {
  let level = table[skip(0u) + levelIndex(scaledWeight(weight, q))];
  return multiply(level, scaleFor(weight, q));
}

fn quantize(weight: u32, q: Quantizer) -> Quantized {
  let scaled = scaledWeight(weight, q);
  let index = levelIndex(scaled);
  let level = table[skip(0u) + index];
  let below = u32(orderOf(scaled) < orderOf(level) && index > 0u);
  let interval = min(index - below, word(GRID) - 2u);
  let inverseWidth = table[skip(0u) + INVERSE_WIDTHS + interval];
  return quantizedAs(
    multiply(level, scaleFor(weight, q)),
    multiply(subtract(scaled, level), inverseWidth),
  );
}
