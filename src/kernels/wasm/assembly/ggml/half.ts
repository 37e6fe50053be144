// F16 as ggml stores scales: nearest, ties to even, infinity from 65520 on.

export function f16Bits(value: f32): u32 {
  const bits = reinterpret<u32>(value);
  const sign = (bits >> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return 0x7e00;
  if (magnitude >= 0x47800000) return sign | 0x7c00;
  if (magnitude < 0x38800000) {
    // Adding 0.5 leaves multiples of 2^-24, the subnormal step, in the low bits.
    return sign | (reinterpret<u32>(reinterpret<f32>(magnitude) + <f32>0.5) - 0x3f000000);
  }
  return sign | ((magnitude + 0xfff + ((magnitude >> 13) & 1) - 0x38000000) >> 13);
}

export function f16Value(bits: u32): f32 {
  const sign = (bits & 0x8000) << 16;
  const magnitude = (bits & 0x7fff) << 13;
  if (magnitude >= 0x0f800000) return reinterpret<f32>(sign | magnitude | 0x7f800000);
  // 2^112 turns the f16 exponent, read as one of f32, into its true value.
  return reinterpret<f32>(sign | reinterpret<u32>(reinterpret<f32>(magnitude) * reinterpret<f32>(0x77800000)));
}
