// Inputs of a product, anywhere.
@group(0) @binding(1) var<storage, read> x: array<f32>;

fn input_at(at: u32, k: u32) -> f32 {
  if (k < parameters.inputs) {
    return x[at + k];
  }
  return 0.0;
}

/// Inputs k … k + 3 of a row, zero where there are none; k is a multiple of 4.
fn load_inputs(row: u32, k: u32) -> vec4<f32> {
  if (row >= parameters.rows) {
    return vec4<f32>(0.0);
  }
  let at = parameters.x_start + row * parameters.x_stride;
  return vec4<f32>(input_at(at, k), input_at(at, k + 1u), input_at(at, k + 2u), input_at(at, k + 3u));
}
