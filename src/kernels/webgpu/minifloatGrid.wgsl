// Levels that are all values of a small float: rounding by arithmetic.

fn gridFormat() -> Minifloat {
  return Minifloat(bitcast<i32>(word(GRID)), bitcast<i32>(word(GRID + 1u)), word(GRID + 2u), word(GRID + 3u));
}

fn valueOf(weight: u32, q: Quantizer) -> u32 {
  return multiply(roundToMinifloat(gridFormat(), scaledWeight(weight, q)), scaleFor(weight, q));
}

fn quantize(weight: u32, q: Quantizer) -> Quantized {
  let format = gridFormat();
  let scaled = scaledWeight(weight, q);
  let level = roundToMinifloat(format, scaled);
  let inverseWidth = powerOfTwo(-stepExponent(format, scaled));
  return quantizedAs(
    multiply(level, scaleFor(weight, q)),
    multiply(subtract(scaled, level), inverseWidth),
  );
}
