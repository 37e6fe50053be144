// Inputs of a product whose rows start at multiples of 16 bytes and are whole vectors.
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;

/// Inputs k … k + 3 of a row, zero where there are none; k is a multiple of 4.
fn load_inputs(row: u32, k: u32) -> vec4<f32> {
  if (row >= parameters.rows || k >= parameters.inputs) {
    return vec4<f32>(0.0);
  }
  return x[(parameters.x_start + row * parameters.x_stride + k) / 4u];
}
