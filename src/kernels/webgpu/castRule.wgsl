// Plain casts: `makeCastQuantizer` of the reference. There is nothing to fit.

const SAME_WIDTH = false;
const HAS_NEGATIVE_SCALE = false;
const HAS_GROUPS = false;

fn fitRange(range: Range, dtype: u32) -> Fit {
  return Fit(0u, 0u, 0, false);
}

fn quantize(weight: u32, q: Quantizer) -> Quantized {
  let dtype = word(RULE);
  if (dtype == F32) {
    return quantizedAs(weight, 0u);
  }
  var value: u32;
  var format: Minifloat;
  if (dtype == F16) {
    value = roundToF16(weight);
    format = Minifloat(10, -14, 0x477fe000u, TIES_EVEN);
  } else {
    value = roundToBf16(weight);
    format = Minifloat(7, -126, 0x7f7f0000u, TIES_EVEN);
  }
  let error = subtract(weight, value);
  return quantizedAs(value, shiftExponent(error, -stepExponent(format, weight)));
}
