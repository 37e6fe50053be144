// Weights of a product as f32, rows of whole vectors.
struct Parameters {
  x_start: u32,
  bias_start: u32,
  y_start: u32,
  w_start: u32,
  rows: u32,
  outputs: u32,
  inputs: u32,
  x_stride: u32,
  y_stride: u32,
  has_bias: u32,
  accumulates: u32,
}
@group(0) @binding(4) var<storage, read> w: array<vec4<f32>>;

/// Weights k … k + 3 of an output, zero where there are none; k is a multiple of 4.
fn load_weights(output: u32, k: u32) -> vec4<f32> {
  if (output >= parameters.outputs || k >= parameters.inputs) {
    return vec4<f32>(0.0);
  }
  return w[(parameters.w_start + output * parameters.inputs + k) / 4u];
}
