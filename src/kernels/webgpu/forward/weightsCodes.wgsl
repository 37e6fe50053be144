// Weights of a product as codes of 4 bits, decoded on the way into a tile.
struct Parameters {
  x_start: u32,
  bias_start: u32,
  y_start: u32,
  codes_start: u32,
  scales_start: u32,
  zeros_start: u32,
  negative_start: u32,
  rows: u32,
  outputs: u32,
  inputs: u32,
  x_stride: u32,
  y_stride: u32,
  has_bias: u32,
  accumulates: u32,
  group_size: u32,
  row_words: u32,
  row_groups: u32,
}
@group(0) @binding(4) var<storage, read> codes: array<u32>;
@group(0) @binding(5) var<storage, read> scales: array<f32>;
/// Zero points of groups, or 16 levels.
@group(0) @binding(6) var<storage, read> zeros: array<f32>;
@group(0) @binding(7) var<storage, read> negative_scales: array<f32>;

/// Codes stand for levels of a table.
override HAS_LEVELS: bool = false;
/// Values below zero have scales of their own.
override HAS_NEGATIVE: bool = false;

fn decode(code: u32, group: u32) -> f32 {
  var zero = parameters.zeros_start;
  if (!HAS_LEVELS) {
    zero += group;
  }
  var value: f32;
  if (HAS_LEVELS) {
    value = zeros[zero + code];
  } else {
    value = f32(code) - zeros[zero];
  }
  if (HAS_NEGATIVE && value < 0.0) {
    return negative_scales[parameters.negative_start + group] * value;
  }
  return scales[parameters.scales_start + group] * value;
}

/// Weights k … k + 3 of an output, zero where there are none; k is a multiple of 4.
fn load_weights(output: u32, k: u32) -> vec4<f32> {
  if (output >= parameters.outputs || k >= parameters.inputs) {
    return vec4<f32>(0.0);
  }
  let word = codes[parameters.codes_start + output * parameters.row_words + k / 8u];
  let four = word >> ((k % 8u) * 4u);
  let places = vec4<u32>(k, k + 1u, k + 2u, k + 3u);
  // The last of a row may have no group.
  let groups = output * parameters.row_groups
    + min(places / parameters.group_size, vec4<u32>(parameters.row_groups - 1u));
  let values = vec4<f32>(
    decode(four & 15u, groups.x),
    decode((four >> 4u) & 15u, groups.y),
    decode((four >> 8u) & 15u, groups.z),
    decode((four >> 12u) & 15u, groups.w));
  return select(vec4<f32>(0.0), values, places < vec4<u32>(parameters.inputs));
}
