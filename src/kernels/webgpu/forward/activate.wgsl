// results = activation(gate)·up: one thread for each element.
struct Parameters {
  results_start: u32,
  gate_start: u32,
  up_start: u32,
  rows: u32,
  columns: u32,
  results_stride: u32,
  gate_stride: u32,
  up_stride: u32,
  /// Where each begins in its view.
  results_at: u32,
  gate_at: u32,
  up_at: u32,
}
@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> results: array<f32>;
@group(0) @binding(2) var<storage, read> gate: array<f32>;
@group(0) @binding(3) var<storage, read> up: array<f32>;

override ACTIVATION: u32 = 0u;
override HAS_UP: bool = false;
/// Gate and up lie in the results' view.
override IN_PLACE: bool = false;

fn gate_at(at: u32) -> f32 {
  if (IN_PLACE) {
    return results[parameters.results_start + parameters.gate_at + at];
  }
  return gate[parameters.gate_start + at];
}

fn up_at(at: u32) -> f32 {
  if (IN_PLACE) {
    return results[parameters.results_start + parameters.up_at + at];
  }
  return up[parameters.up_start + at];
}

fn gelu(x: f32) -> f32 {
  let tail = complementary_error(abs(x) * 0.70710678);
  return 0.5 * x * select(tail, 2.0 - tail, x >= 0.0);
}

fn activation(x: f32) -> f32 {
  switch (ACTIVATION) {
    case 0u: { return x * logistic(x); }
    case 1u: { return gelu(x); }
    case 2u: {
      // 0.5·(1 + tanh(y)) is the logistic function of 2y.
      return x * logistic(1.59576912 * fma(0.044715 * x * x, x, x));
    }
    case 3u: { return min(gelu(x), 10.0); }
    case 4u: { return x * logistic(1.702 * x); }
    case 5u: { return max(x, 0.0); }
    default: { return max(x, 0.0) * max(x, 0.0); }
  }
}

@compute @workgroup_size(256)
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
) {
  let number = (workgroup.y * workgroups.x + workgroup.x) * 256u + thread;
  let row = number / parameters.columns;
  let column = number % parameters.columns;
  if (row >= parameters.rows) {
    return;
  }
  var value = activation(gate_at(row * parameters.gate_stride + column));
  if (HAS_UP) {
    value *= up_at(row * parameters.up_stride + column);
  }
  let to = parameters.results_start + parameters.results_at;
  results[to + row * parameters.results_stride + column] = value;
}
